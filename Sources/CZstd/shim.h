// For ZSTD_createDCtx_advanced, which takes an allocator: the shared library exports it.
#define ZSTD_STATIC_LINKING_ONLY
#include <zstd.h>
