// Compiled into libggml of a wheel for every processor (llama_cpp.cmake). ggml looks for the modules of the processors
// beside the program, which is Python; they lie beside this library.

#include <dlfcn.h>

#include <string>

#include "ggml-backend.h"

__attribute__((constructor)) static void load_backends() {
    Dl_info here;
    if (dladdr(reinterpret_cast<void *>(&load_backends), &here) && here.dli_fname) {
        const std::string path = here.dli_fname;
        ggml_log_set([](ggml_log_level, const char *, void *) {}, nullptr);  // it would write a line to stderr
        ggml_backend_load_all_from_path(path.substr(0, path.rfind('/')).c_str());
        ggml_log_set(nullptr, nullptr);
    }
}
