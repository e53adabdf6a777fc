#include <sigpp/names.hpp>

#include <gtest/gtest.h>

#include <sigpp/signal_set.hpp>

#include "support/support.hpp"

namespace {

using sigpp::signal_name;
using sigpp::signal_number;

TEST(names, of_well_known_signals) {
  EXPECT_EQ(signal_name(SIGINT), "SIGINT");
  EXPECT_EQ(signal_name(SIGCHLD), "SIGCHLD");
  EXPECT_EQ(signal_name(SIGABRT), "SIGABRT");
  EXPECT_EQ(signal_name(SIGRTMIN), "SIGRTMIN");
  EXPECT_EQ(signal_name(SIGRTMIN + 3), "SIGRTMIN+3");
  EXPECT_EQ(signal_name(SIGRTMAX), "SIGRTMAX");
  EXPECT_EQ(signal_name(4242), "signal 4242");
  EXPECT_EQ(signal_name(0), "signal 0");
  EXPECT_EQ(signal_name(-1), "signal -1");
}

TEST(names, every_valid_signal_has_one_that_leads_back) {
  for (int n : sigpp::valid_signals()) EXPECT_EQ(signal_number(signal_name(n)), n) << n;
}

TEST(names, are_found_with_and_without_sig_in_any_case) {
  EXPECT_EQ(signal_number("INT"), SIGINT);
  EXPECT_EQ(signal_number("SIGINT"), SIGINT);
  EXPECT_EQ(signal_number("sigint"), SIGINT);
  EXPECT_EQ(signal_number("SigInt"), SIGINT);
  EXPECT_EQ(signal_number("CLD"), SIGCHLD);
  EXPECT_EQ(signal_number("IOT"), SIGABRT);
  EXPECT_EQ(signal_number("POLL"), SIGIO);
  EXPECT_EQ(signal_number("RTMIN"), SIGRTMIN);
  EXPECT_EQ(signal_number("RTMIN+3"), SIGRTMIN + 3);
  EXPECT_EQ(signal_number("SIGRTMAX-1"), SIGRTMAX - 1);
  EXPECT_EQ(signal_number("rtmax"), SIGRTMAX);
}

TEST(names, that_are_none) {
  for (const char* bad :
       {"", "SIG", "IN", "INTX", "SIGSIGINT", "2", "RTMIN+", "RTMIN-1", "RTMIN+-1", "RTMIN+31",
        "RTMIN+99999999999", "RTMAX-31", "RTMAX+1", "RTMIN+3x", "RTMIN 3", " INT", "INT "}) {
    EXPECT_EQ(signal_number(bad), std::nullopt) << '"' << bad << '"';
  }
}

TEST(names, strsignal_says_what_the_system_says) {
  EXPECT_EQ(sigpp::strsignal(SIGINT), "Interrupt");
  EXPECT_EQ(sigpp::strsignal(SIGTERM), "Terminated");
  EXPECT_EQ(sigpp::strsignal(SIGHUP), "Hangup");
  EXPECT_EQ(sigpp::strsignal(32), std::nullopt);
  for (int bad : {0, -1, NSIG, 4242, INT_MAX}) {
    support::expect_system_error([&] { (void)sigpp::strsignal(bad); }, std::errc::invalid_argument,
                                 {std::to_string(bad)});
  }
}

}  // namespace
