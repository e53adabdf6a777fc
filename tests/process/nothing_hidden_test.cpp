// No thread, descriptor or timer is made; nothing is allocated in the handler.
#include <dirent.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <new>
#include <set>
#include <string>

#include <sigpp/sigpp.hpp>

#include "support/support.hpp"

namespace {

long allocations;

std::set<std::string> entries(const char* folder) {
  std::set<std::string> names;
  DIR* const dir = opendir(folder);
  while (const dirent* entry = readdir(dir)) names.insert(entry->d_name);
  closedir(dir);
  return names;
}

std::string slurp(const char* path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(nothing_hidden, no_thread_descriptor_or_timer) {
  const auto descriptors = entries("/proc/self/fd");
  const auto threads = entries("/proc/self/task");
  int calls = 0;
  sigpp::signal(SIGINT, [&] { ++calls; });
  sigpp::signal(SIGTERM, [&] { ++calls; });
  sigpp::raise_signal(SIGINT);
  sigpp::sleep_for(std::chrono::milliseconds(1));
  sigpp::setitimer(ITIMER_REAL, std::chrono::seconds(1000));
  sigpp::setitimer(ITIMER_REAL, std::chrono::seconds(0));
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(entries("/proc/self/fd"), descriptors);
  EXPECT_EQ(entries("/proc/self/task"), threads);
  EXPECT_EQ(slurp("/proc/self/timers"), "");
}

TEST(nothing_hidden, linking_changes_no_disposition) {
  // gtest_main may catch signals of its own; none of them are ours.
  for (int n : {SIGINT, SIGTERM, SIGUSR1, SIGPP_TEST_DOORBELL}) {
    EXPECT_EQ(sigpp::getsignal(n), SIG_DFL) << n;
  }
  sigpp::check();
  EXPECT_EQ(sigpp::getsignal(SIGPP_TEST_DOORBELL), SIG_DFL);
  struct sigaction action {};
  sigaction(SIGPP_TEST_DOORBELL, nullptr, &action);
  EXPECT_EQ(action.sa_handler, SIG_DFL) << "the doorbell comes with the first handler";
}

TEST(nothing_hidden, the_mask_is_left_alone) {
  sigset_t before;
  pthread_sigmask(SIG_SETMASK, nullptr, &before);
  sigpp::signal(SIGUSR1, [] {});
  sigpp::raise_signal(SIGUSR1);
  sigpp::sleep_for(std::chrono::milliseconds(1));
  sigset_t after;
  pthread_sigmask(SIG_SETMASK, nullptr, &after);
  EXPECT_EQ(sigpp::signal_set{before}, sigpp::signal_set{after});
}

TEST(nothing_hidden, nothing_is_allocated_in_the_handler) {
  int calls = 0;
  sigpp::signal(SIGUSR1, [&] { ++calls; });
  sigpp::check();
  const long before = allocations;
  for (int i = 0; i < 5'000; ++i) ::raise(SIGUSR1);
  EXPECT_EQ(allocations, before);
  EXPECT_EQ(sigpp::statistics(SIGUSR1).received, 5'000U);
}

}  // namespace

// Counts what the program allocates; the handler would be among it.
void* operator new(std::size_t size) {
  ++allocations;
  if (void* const memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
