// Handlers registered by constructors of statics.
#include <gtest/gtest.h>
#include <signal.h>

#include <sigpp/sigpp.hpp>

namespace {

int calls;
const sigpp::handler before = sigpp::signal(SIGUSR1, [] { ++calls; });

TEST(before_main, handlers_work) {
  EXPECT_EQ(before, SIG_DFL);
  sigpp::raise_signal(SIGUSR1);
  EXPECT_EQ(calls, 1);
}

}  // namespace
