# Read by CMake at the end of llama.cpp's project() call (CMAKE_PROJECT_llama.cpp_INCLUDE).
# The Python binding needs the llama and ggml libraries only; llama-common, which nothing
# loads here, takes half of the compile time, and the binding's build switches it on by force.
set(LLAMA_BUILD_COMMON OFF)
