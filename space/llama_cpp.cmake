# Read by CMake at the end of llama.cpp's project() call (CMAKE_PROJECT_llama.cpp_INCLUDE).
# The Python binding needs the llama and ggml libraries only; llama-common, which nothing
# loads here, takes half of the compile time, and the binding's build switches it on by force.
set(LLAMA_BUILD_COMMON OFF)

# As GCC 12 compiles ggml, the first product on a processor with AMX is an illegal instruction: probably because its
# intrinsic names only eight bytes of a tile configuration as read, so that the others are never written. Without the flag's feature ggml leaves AMX alone.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    include(CheckCXXCompilerFlag)
    check_cxx_compiler_flag(-mno-amx-int8 KNOWS_AMX)
    if(KNOWS_AMX)
        add_compile_options($<$<COMPILE_LANGUAGE:C,CXX>:-mno-amx-int8>)
    endif()
endif()
