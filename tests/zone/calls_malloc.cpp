// Everything that must not be in a signal handler.
#include <cstdlib>

// An inline function that the compiler may not inline: the linker picks one of many copies.
[[gnu::noinline]] inline void* not_inlined(std::size_t size) { return std::malloc(size); }

void* handler_that_allocates(std::size_t size) { return not_inlined(size); }
