// What a signal interrupts goes on as if nothing had been: registers, rounding, stacks, on many
// threads.
#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cfenv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

#include <sigpp/sigpp.hpp>

#include "support/support.hpp"

namespace {

using std::chrono::microseconds;

// Interrupts a thread with signals of the program's and with sigpp's rings, as long as it lives.
class hail {
 public:
  explicit hail(const std::function<void()>& ring)
      : target_(pthread_self()), thread_([this, ring] {
          while (!done_) {
            pthread_kill(target_, SIGUSR1);
            ring();
            ++rounds_;
            std::this_thread::yield();
          }
        }) {}
  ~hail() {
    done_ = true;
    thread_.join();
  }
  hail(const hail&) = delete;
  hail& operator=(const hail&) = delete;

  [[nodiscard]] bool lasts(int rounds) const { return rounds_ < rounds; }

 private:
  pthread_t target_;
  std::atomic<bool> done_{false};
  std::atomic<int> rounds_{0};
  std::thread thread_;
};

// Rings this thread, which calls it, whatever it does.
std::function<void()> ring_here() {
  const sigpp::thread_handle here = sigpp::this_thread::handle();
  return [here] { sigpp::interrupt(here, [] {}); };
}

// Chaotic: one wrong bit, once, and the end is another one.
double logistic(int steps) {
  std::array<double, 8> x{.1, .2, .3, .4, .5, .6, .7, .8};
  for (int i = 0; i < steps; ++i) {
    for (double& each : x) each = 3.99 * each * (1 - each);
  }
  double sum = 0;
  for (double each : x) sum += each;
  return sum;
}

TEST(registers, of_floating_point_survive_while_it_computes) {
  sigpp::signal(SIGUSR1, [] {});
  std::fesetround(FE_UPWARD);
  const double right = logistic(20'000);
  const hail h(ring_here());
  while (h.lasts(support::trials(2'000))) {
    ASSERT_EQ(logistic(20'000), right);
    ASSERT_EQ(std::fegetround(), FE_UPWARD);
    sigpp::check();
  }
}

// A call that is left in the middle, and handlers that compute.
TEST(registers, of_floating_point_survive_calls_that_are_interrupted) {
  std::uint64_t calls = 0;
  double sum = 0;
  sigpp::signal(SIGUSR1, [&] {
    ++calls;
    sum += logistic(10);
    EXPECT_EQ(std::fegetround(), FE_UPWARD);
  });
  std::fesetround(FE_UPWARD);
  const double right = logistic(100);
  const hail h(ring_here());
  while (h.lasts(support::trials(2'000))) {
    double kept = right;
    asm volatile("" : "+m"(kept));
    sigpp::sleep_for(microseconds(20));
    ASSERT_EQ(kept, logistic(100));
    ASSERT_EQ(std::fegetround(), FE_UPWARD);
  }
  EXPECT_GT(calls, 0U);
}

#if defined(__x86_64__)

using vector = std::array<std::uint64_t, 4>;

// Holds a value in each of the 16 vector registers for a while.
[[gnu::target("avx")]] bool keep_vectors(const std::array<vector, 16>& in,
                                         std::array<vector, 16>& out) {
  std::uint64_t count = 20'000;
  asm volatile(
      "vmovdqu 0(%[in]), %%ymm0\n vmovdqu 32(%[in]), %%ymm1\n"
      "vmovdqu 64(%[in]), %%ymm2\n vmovdqu 96(%[in]), %%ymm3\n"
      "vmovdqu 128(%[in]), %%ymm4\n vmovdqu 160(%[in]), %%ymm5\n"
      "vmovdqu 192(%[in]), %%ymm6\n vmovdqu 224(%[in]), %%ymm7\n"
      "vmovdqu 256(%[in]), %%ymm8\n vmovdqu 288(%[in]), %%ymm9\n"
      "vmovdqu 320(%[in]), %%ymm10\n vmovdqu 352(%[in]), %%ymm11\n"
      "vmovdqu 384(%[in]), %%ymm12\n vmovdqu 416(%[in]), %%ymm13\n"
      "vmovdqu 448(%[in]), %%ymm14\n vmovdqu 480(%[in]), %%ymm15\n"
      "1: dec %[count]\n jnz 1b\n"
      "vmovdqu %%ymm0, 0(%[out])\n vmovdqu %%ymm1, 32(%[out])\n"
      "vmovdqu %%ymm2, 64(%[out])\n vmovdqu %%ymm3, 96(%[out])\n"
      "vmovdqu %%ymm4, 128(%[out])\n vmovdqu %%ymm5, 160(%[out])\n"
      "vmovdqu %%ymm6, 192(%[out])\n vmovdqu %%ymm7, 224(%[out])\n"
      "vmovdqu %%ymm8, 256(%[out])\n vmovdqu %%ymm9, 288(%[out])\n"
      "vmovdqu %%ymm10, 320(%[out])\n vmovdqu %%ymm11, 352(%[out])\n"
      "vmovdqu %%ymm12, 384(%[out])\n vmovdqu %%ymm13, 416(%[out])\n"
      "vmovdqu %%ymm14, 448(%[out])\n vmovdqu %%ymm15, 480(%[out])\n"
      : [count] "+r"(count)
      : [in] "r"(in.data()), [out] "r"(out.data())
      : "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
        "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
  return in == out;
}

TEST(registers, of_vectors_survive_handlers_and_rings) {
  if (!__builtin_cpu_supports("avx")) GTEST_SKIP() << "this processor has no AVX";
  sigpp::signal(SIGUSR1, [] {});
  std::array<vector, 16> in{};
  std::uint64_t value = 0x9e3779b97f4a7c15;
  for (auto& each : in) {
    for (auto& word : each) word = value *= 0xbf58476d1ce4e5b9;
  }
  const hail h(ring_here());
  while (h.lasts(support::trials(2'000))) {
    std::array<vector, 16> out{};
    ASSERT_TRUE(keep_vectors(in, out));
    sigpp::check();
  }
}

#endif

// --- stacks -------------------------------------------------------------------------------------

// Runs `f` on a thread with a stack of `bytes`.
void on_a_stack_of(std::size_t bytes, const std::function<void()>& f) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  ASSERT_EQ(pthread_attr_setstacksize(&attributes, bytes), 0);
  pthread_t thread{};
  const auto run = [](void* job) -> void* {
    (*static_cast<const std::function<void()>*>(job))();
    return nullptr;
  };
  ASSERT_EQ(
      pthread_create(&thread, &attributes, run, const_cast<void*>(static_cast<const void*>(&f))),
      0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
}

TEST(stacks, the_smallest_thread_takes_signals) {
  std::uint64_t calls = 0;
  sigpp::signal(SIGUSR1, [&] { ++calls; });
  const auto smallest = static_cast<std::size_t>(sysconf(_SC_THREAD_STACK_MIN));
  on_a_stack_of(smallest, [] {
    for (int i = 0; i < 1'000; ++i) ::raise(SIGUSR1);
  });
  sigpp::check();
  EXPECT_GT(calls, 0U);
  EXPECT_EQ(sigpp::statistics(SIGUSR1).received, 1'000U);
}

TEST(stacks, an_alternate_one_of_the_usual_size_is_enough) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a sanitizer's frames are larger";
#endif
  int calls = 0;
  sigpp::signal(SIGUSR1, [&] { ++calls; });
  sigpp::signal(SIGRTMIN, [&] { ++calls; });
  const auto bytes = static_cast<std::size_t>(SIGSTKSZ);
  constexpr std::size_t margin = 4'096;
  constexpr unsigned char paint = 0xa5;
  std::vector<unsigned char> memory(margin + bytes, paint);
  on_a_stack_of(256UL * 1024, [&] {
    stack_t stack{};
    stack.ss_sp = memory.data() + margin;
    stack.ss_size = bytes;
    ASSERT_EQ(sigaltstack(&stack, nullptr), 0);
    ::raise(SIGUSR1);
    for (int i = 0; i < 2'000; ++i) ::raise(SIGRTMIN);  // holds back, too
    stack.ss_flags = SS_DISABLE;
    sigaltstack(&stack, nullptr);
  });
  for (std::size_t i = 0; i < margin; ++i) ASSERT_EQ(memory[i], paint) << "below the stack";
  EXPECT_LT(std::count(memory.begin(), memory.end(), paint), std::ssize(memory))
      << "it was not used";
  while (calls < 2) sigpp::check();
}

// --- many threads -------------------------------------------------------------------------------

#if defined(__SANITIZE_THREAD__)
constexpr int many = 100;  // it is too slow for those that go round
#else
constexpr int many = 1'000;
#endif

// More of them hold back than there are entries for: the rest go round until there is room.
TEST(threads, a_thousand_take_queued_signals_and_none_is_lost) {
#if defined(SIGPP_TEST_POSIX_PLATFORM)
  GTEST_SKIP() << "what is sent round has no value there";
#endif
  std::vector<int> got(many * 3UL);
  std::size_t total = 0;
  sigpp::signal(SIGRTMIN, [&](const sigpp::signal_info& info) {
    ++got[static_cast<std::size_t>(info.value().value().sival_int)];
    ++total;
  });
  std::vector<std::thread> threads;
  threads.reserve(many);
  for (int i = 0; i < many; ++i) {
    threads.emplace_back([i] {
      for (int k = 0; k < 3; ++k) {
        sigval value{};
        value.sival_int = 3 * i + k;
        while (pthread_sigqueue(pthread_self(), SIGRTMIN, value) != 0) std::this_thread::yield();
      }
      // Nothing of it is pending when the thread ends: that would go with it.
      sigset_t pending;
      do {
        std::this_thread::yield();
        sigpending(&pending);
      } while (sigismember(&pending, SIGRTMIN) == 1);
    });
  }
  while (total < got.size()) sigpp::pause();
  for (auto& thread : threads) thread.join();
  for (std::size_t i = 0; i < got.size(); ++i) ASSERT_EQ(got[i], 1) << i;
}

TEST(threads, a_thousand_are_woken_from_their_sleep) {
  std::vector<std::thread> threads;
  std::vector<sigpp::thread_handle> handles(many);
  std::atomic<int> ready{0};
  std::atomic<int> woken{0};
  threads.reserve(many);
  for (std::size_t i = 0; i < many; ++i) {
    threads.emplace_back([&, i] {
      handles[i] = sigpp::this_thread::handle();
      ++ready;
      try {
        while (true) sigpp::sleep_for(std::chrono::hours(1));
      } catch (const sigpp::interrupted&) {
        ++woken;
      }
    });
  }
  while (ready != many) std::this_thread::yield();
  for (const auto& handle : handles) EXPECT_TRUE(sigpp::interrupt(handle));
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(woken, many);
}

}  // namespace
