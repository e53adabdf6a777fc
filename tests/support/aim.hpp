// Sending at a moment around another thread's or process's blocking.
#pragma once

#if defined(__linux__)
#include <sched.h>
#endif
#include <sys/mman.h>

#include <chrono>
#include <cstddef>
#include <new>
#include <random>
#include <thread>

namespace support {

/// One T of zeros that forked children share.
template <class T>
T& shared_with_children() {
  static auto* const one =
      new (mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) T{};
  return *one;
}

/// Keeps the calling thread on the n-th processor that it may use, if there is one. Two sides that
/// share a processor never meet on their way.
inline void stay_on_processor([[maybe_unused]] int n) {
#if defined(__linux__)
  cpu_set_t all;
  if (sched_getaffinity(0, sizeof all, &all) != 0) return;
  for (std::size_t i = 0; i < CPU_SETSIZE; ++i) {
    if (!CPU_ISSET(i, &all) || n-- > 0) continue;
    CPU_ZERO(&all);
    CPU_SET(i, &all);
    sched_setaffinity(0, sizeof all, &all);
    return;
  }
#endif
}

/// Up to 20 us, sometimes up to 100.
class random_delay {
 public:
  explicit random_delay(unsigned seed) : random_(seed) {}
  void operator()() {
    const auto end = next();
    while (std::chrono::steady_clock::now() < end) {
    }
  }
  /// Where both sides may share a processor.
  void give_way() {
    const auto end = next();
    while (std::chrono::steady_clock::now() < end) std::this_thread::yield();
  }

 private:
  std::chrono::steady_clock::time_point next() {
    const int limit = ++count_ % 10 == 0 ? 100'000 : 20'000;
    const auto length = std::uniform_int_distribution<int>(0, limit)(random_);
    return std::chrono::steady_clock::now() + std::chrono::nanoseconds(length);
  }

  std::mt19937 random_;
  int count_ = 0;
};

}  // namespace support
