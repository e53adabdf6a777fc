#include <sigpp/handler.hpp>

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <type_traits>

#include "support/support.hpp"

namespace {

using sigpp::handler;
using sigpp::signal_info;

int last = 0;
void plain(int signum) { last = signum; }
void informed(int signum, const signal_info& info) { last = signum + 1000 * info.number(); }

TEST(handler, takes_every_form) {
  int calls = 0;
  int number = 0;
  handler([&] { ++calls; })(SIGUSR1);
  handler([&](int n) { number = n; })(SIGUSR1);
  EXPECT_EQ(number, SIGUSR1);
  handler([&](const signal_info& info) { number = info.number(); })(SIGUSR2);
  EXPECT_EQ(number, SIGUSR2);
  handler([&](int n, const signal_info& info) { number = n + info.number(); })(SIGUSR2);
  EXPECT_EQ(number, 2 * SIGUSR2);
  handler{plain}(SIGHUP);
  EXPECT_EQ(last, SIGHUP);
  handler{informed}(SIGHUP);
  EXPECT_EQ(last, SIGHUP * 1001);
  EXPECT_EQ(calls, 1);
}

TEST(handler, the_most_informed_form_wins) {
  struct all {
    void operator()(int, const signal_info&) { last = 4; }
    void operator()(int) { last = 3; }
    void operator()(const signal_info&) { last = 2; }
    void operator()() { last = 1; }
  };
  handler{all{}}(SIGINT);
  EXPECT_EQ(last, 4);
  handler([](auto n) {
    static_assert(std::is_same_v<decltype(n), int>);
    last = n;
  })(SIGINT);
  EXPECT_EQ(last, SIGINT);
}

TEST(handler, takes_move_only_and_mutable_function_objects) {
  int seen = 0;
  handler h([p = std::make_unique<int>(5), &seen]() mutable { seen += (*p)++; });
  const handler copy = h;
  h(SIGINT);
  copy(SIGINT);
  EXPECT_EQ(seen, 5 + 6) << "copies share the one callable";
}

TEST(handler, sig_ign_and_sig_dfl_are_no_functions) {
  EXPECT_TRUE(handler(SIG_IGN).is_ignore());
  EXPECT_TRUE(handler(SIG_DFL).is_default());
  EXPECT_TRUE(handler().is_default());
  EXPECT_THROW(handler(SIG_IGN)(SIGINT), std::bad_function_call);
  EXPECT_THROW(handler()(SIGINT), std::bad_function_call);
}

TEST(handler, refuses_what_is_empty) {
  using function = std::function<void(int)>;
  EXPECT_THROW(handler{function{}}, std::invalid_argument);
  EXPECT_THROW(handler{static_cast<void (*)(int, const signal_info&)>(nullptr)},
               std::invalid_argument);
  EXPECT_THROW(handler{static_cast<void (*)()>(nullptr)}, std::invalid_argument);
  EXPECT_THROW(handler{SIG_ERR}, std::invalid_argument);
  EXPECT_NO_THROW(handler{function{plain}});
  static_assert(!std::is_constructible_v<handler, std::nullptr_t>, "as Python refuses None");
  static_assert(!std::is_constructible_v<handler, int>, "as Python refuses 5");
  static_assert(!std::is_constructible_v<handler, void (*)(const char*)>);
}

TEST(handler, compares_as_python_compares_with_is) {
  EXPECT_EQ(handler(SIG_IGN), SIG_IGN);
  EXPECT_EQ(handler(), SIG_DFL);
  EXPECT_NE(handler(SIG_IGN), SIG_DFL);
  EXPECT_EQ(handler(plain), plain);
  EXPECT_EQ(handler(informed), informed);
  EXPECT_NE(handler(plain), handler(informed));
  const handler lambda([] {});
  EXPECT_EQ(lambda, handler(lambda));
  EXPECT_NE(lambda, handler([] {}));
}

TEST(handler, foreign_ones_keep_their_sigaction) {
  struct sigaction action {};
  action.sa_handler = plain;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  const handler h = handler::from_native(action);
  ASSERT_TRUE(h.is_foreign());
  EXPECT_EQ(h.native_handle()->sa_handler, plain);
  EXPECT_EQ(h.native_handle()->sa_flags, SA_RESTART);
  EXPECT_THROW(h(SIGINT), std::bad_function_call);
  EXPECT_EQ(h, handler::from_native(action));
  EXPECT_NE(h, handler(plain)) << "one is called by the kernel, the other at safe points";
}

}  // namespace
