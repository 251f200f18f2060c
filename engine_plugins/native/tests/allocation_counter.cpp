// Preloaded into a process (LD_PRELOAD): counts what each thread allocates.
#include <dlfcn.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace {

thread_local std::uint64_t here = 0;

// Before the real functions are found (dlsym may allocate itself) memory comes from here; it is never given back.
alignas(16) unsigned char early[16384];
std::atomic<std::size_t> early_used{0};

void* early_memory(std::size_t size) {
  const std::size_t rounded = (size + 15) & ~std::size_t{15};
  const std::size_t at = early_used.fetch_add(rounded);
  return at + rounded <= sizeof early ? early + at : nullptr;
}

bool is_early(const void* pointer) {
  const auto* byte = static_cast<const unsigned char*>(pointer);
  return byte >= early && byte < early + sizeof early;
}

template <typename Function>
Function real(const char* name, std::atomic<void*>& known) {
  static thread_local bool looking = false;
  void* found = known.load(std::memory_order_acquire);
  if (found == nullptr && !looking) {
    looking = true;
    found = dlsym(RTLD_NEXT, name);
    known.store(found, std::memory_order_release);
    looking = false;
  }
  return reinterpret_cast<Function>(found);
}

std::atomic<void*> real_malloc{nullptr}, real_calloc{nullptr}, real_realloc{nullptr}, real_free{nullptr};

}  // namespace

extern "C" {

std::uint64_t allocation_counter_of_this_thread() { return here; }

void* malloc(std::size_t size) {
  ++here;
  const auto function = real<void* (*)(std::size_t)>("malloc", real_malloc);
  return function == nullptr ? early_memory(size) : function(size);
}

void* calloc(std::size_t count, std::size_t size) {
  ++here;
  const auto function = real<void* (*)(std::size_t, std::size_t)>("calloc", real_calloc);
  return function == nullptr ? early_memory(count * size) : function(count, size);
}

void* realloc(void* pointer, std::size_t size) {
  ++here;
  if (is_early(pointer)) {
    void* fresh = malloc(size);
    if (fresh != nullptr) {
      std::memcpy(fresh, pointer, size);
    }
    return fresh;
  }
  const auto function = real<void* (*)(void*, std::size_t)>("realloc", real_realloc);
  return function == nullptr ? nullptr : function(pointer, size);
}

void free(void* pointer) {
  if (pointer == nullptr || is_early(pointer)) {
    return;
  }
  const auto function = real<void (*)(void*)>("free", real_free);
  if (function != nullptr) {
    function(pointer);
  }
}

}  // extern "C"
