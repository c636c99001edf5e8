# Read by CMake at the end of llama.cpp's project() call (CMAKE_PROJECT_llama.cpp_INCLUDE).
# The Python binding needs the llama and ggml libraries only; llama-common, which nothing
# loads here, takes half of the compile time, and the binding's build switches it on by force.
set(LLAMA_BUILD_COMMON OFF)

# A wheel holds no links, so that each library would be in it under three names, and once more outside of the package.
set(CMAKE_PLATFORM_NO_VERSIONED_SONAME ON)
set(CMAKE_INSTALL_LIBDIR llama_cpp/lib)
set(CMAKE_INSTALL_BINDIR llama_cpp/lib)

# As GCC 12 compiles ggml, the first product on a processor with AMX is an illegal instruction: probably because its
# intrinsic names only eight bytes of a tile configuration as read, so that the others are never written. Without the flag's feature ggml leaves AMX alone.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    include(CheckCXXCompilerFlag)
    check_cxx_compiler_flag(-mno-amx-int8 KNOWS_AMX)
    if(KNOWS_AMX AND NOT GGML_CPU_ALL_VARIANTS)
        add_compile_options($<$<COMPILE_LANGUAGE:C,CXX>:-mno-amx-int8>)
    endif()
endif()

# A wheel for every processor (`make wheel`): a module of ggml for each, of which the best is loaded.
if(GGML_CPU_ALL_VARIANTS)
    set(BACKENDS_SOURCE "${CMAKE_CURRENT_LIST_DIR}/llama_cpp_backends.cpp")
    cmake_language(DEFER CALL target_sources ggml PRIVATE "${BACKENDS_SOURCE}")
    if(KNOWS_AMX) # behind the module's own flags, which switch it on
        cmake_language(DEFER CALL target_compile_options ggml-cpu-sapphirerapids PRIVATE -mno-amx-int8)
    endif()
endif()
