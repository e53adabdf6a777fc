#include <sigpp/signal_set.hpp>

#include <gtest/gtest.h>

#include <vector>

#include "support/support.hpp"

namespace {

using sigpp::signal_set;

TEST(signal_set, lists_its_numbers_in_increasing_order) {
  const signal_set set{SIGTERM, SIGINT, SIGTERM};
  EXPECT_EQ(std::vector<int>(set.begin(), set.end()), (std::vector{SIGINT, SIGTERM}));
  EXPECT_EQ(set.size(), 2U);
  EXPECT_TRUE(set.contains(SIGINT));
  EXPECT_FALSE(set.contains(SIGHUP));
  EXPECT_TRUE(signal_set{}.empty());
}

TEST(signal_set, holds_every_number_up_to_its_capacity) {
  signal_set set;
  for (int n = 1; n <= signal_set::capacity; ++n) set.insert(n);
  EXPECT_EQ(set.size(), static_cast<std::size_t>(signal_set::capacity));
  int expected = 1;
  for (int n : set) EXPECT_EQ(n, expected++);
  for (int n = 1; n <= signal_set::capacity; ++n) set.erase(n);
  EXPECT_TRUE(set.empty());
}

TEST(signal_set, does_set_algebra) {
  const signal_set a{1, 2, 64, 126};
  const signal_set b{2, 3, 126};
  EXPECT_EQ((a | b), (signal_set{1, 2, 3, 64, 126}));
  EXPECT_EQ((a & b), (signal_set{2, 126}));
  EXPECT_EQ((a - b), (signal_set{1, 64}));
  EXPECT_EQ((a ^ b), (signal_set{1, 3, 64}));
  EXPECT_NE(a, b);
}

TEST(signal_set, refuses_numbers_that_do_not_fit) {
  for (int bad : {0, -1, signal_set::capacity + 1, 4242, INT_MAX, INT_MIN}) {
    support::expect_system_error([&] { signal_set{}.insert(bad); }, std::errc::invalid_argument,
                                 {std::to_string(bad)});
    EXPECT_FALSE(signal_set{}.contains(bad));
    signal_set set{SIGINT};
    set.erase(bad);
    EXPECT_EQ(set, signal_set{SIGINT});
  }
}

TEST(signal_set, goes_to_sigset_t_and_back) {
  const signal_set set{SIGINT, SIGTERM, SIGRTMAX};
  const sigset_t native = set.native();
  EXPECT_EQ(sigismember(&native, SIGRTMAX), 1);
  EXPECT_EQ(sigismember(&native, SIGHUP), 0);
  EXPECT_EQ(signal_set{native}, set);
}

TEST(signal_set, valid_leaves_out_what_the_c_library_keeps) {
  const signal_set valid = sigpp::valid_signals();
  EXPECT_EQ(valid, signal_set::valid());
  EXPECT_TRUE(valid.contains(SIGINT));
  EXPECT_TRUE(valid.contains(SIGRTMIN));
  EXPECT_TRUE(valid.contains(SIGRTMAX));
  for (int n = SIGRTMIN - 1; n >= 32; --n) EXPECT_FALSE(valid.contains(n)) << n;
  EXPECT_FALSE(valid.contains(NSIG));
}

TEST(signal_set, prints_names) {
  EXPECT_EQ(to_string(signal_set{}), "{}");
  EXPECT_EQ(to_string(signal_set{SIGTERM, SIGINT, SIGRTMIN + 3}), "{SIGINT, SIGTERM, SIGRTMIN+3}");
}

static_assert(signal_set{SIGINT}.contains(SIGINT), "usable in constant expressions");

}  // namespace
