#include <sigpp/names.hpp>

#include <signal.h>

#include <array>
#include <charconv>
#include <cstring>

#include "errors.hpp"

namespace sigpp::inline v1 {

namespace {

struct named {
  std::string_view name;
  int number;
};

// In each group of one number, the name that Python gives it first; the rest are understood.
constexpr named table[] = {
    {"HUP", SIGHUP},       {"INT", SIGINT},   {"QUIT", SIGQUIT},     {"ILL", SIGILL},
    {"TRAP", SIGTRAP},     {"ABRT", SIGABRT}, {"IOT", SIGABRT},      {"BUS", SIGBUS},
    {"FPE", SIGFPE},       {"KILL", SIGKILL}, {"USR1", SIGUSR1},     {"SEGV", SIGSEGV},
    {"USR2", SIGUSR2},     {"PIPE", SIGPIPE}, {"ALRM", SIGALRM},     {"TERM", SIGTERM},
    {"CHLD", SIGCHLD},     {"CLD", SIGCHLD},  {"CONT", SIGCONT},     {"STOP", SIGSTOP},
    {"TSTP", SIGTSTP},     {"TTIN", SIGTTIN}, {"TTOU", SIGTTOU},     {"URG", SIGURG},
    {"XCPU", SIGXCPU},     {"XFSZ", SIGXFSZ}, {"VTALRM", SIGVTALRM}, {"PROF", SIGPROF},
    {"WINCH", SIGWINCH},   {"IO", SIGIO},     {"SYS", SIGSYS},
#ifdef SIGPOLL
    {"POLL", SIGPOLL},
#endif
#ifdef SIGSTKFLT
    {"STKFLT", SIGSTKFLT},
#endif
#ifdef SIGPWR
    {"PWR", SIGPWR},
#endif
#ifdef SIGEMT
    {"EMT", SIGEMT},
#endif
#ifdef SIGINFO
    {"INFO", SIGINFO},
#endif
};

char upper(char c) noexcept { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

bool consume(std::string_view& text, std::string_view prefix) noexcept {
  if (text.size() < prefix.size()) return false;
  for (std::size_t i = 0; i < prefix.size(); ++i) {
    if (upper(text[i]) != prefix[i]) return false;
  }
  text.remove_prefix(prefix.size());
  return true;
}

// "", "+3" after RTMIN, "-3" after RTMAX.
std::optional<int> realtime(std::string_view offset, char sign) noexcept {
#if defined(SIGRTMIN) && defined(SIGRTMAX)
  int steps = 0;
  if (!offset.empty()) {
    if (offset.size() < 2 || offset[0] != sign || offset[1] == '-') return std::nullopt;
    const auto [end, error] =
        std::from_chars(offset.data() + 1, offset.data() + offset.size(), steps);
    if (error != std::errc{} || end != offset.data() + offset.size()) return std::nullopt;
    if (steps > SIGRTMAX - SIGRTMIN) return std::nullopt;
  }
  return sign == '+' ? SIGRTMIN + steps : SIGRTMAX - steps;
#else
  static_cast<void>(offset);
  static_cast<void>(sign);
  return std::nullopt;
#endif
}

}  // namespace

std::optional<std::string> strsignal(int signum) {
  require_range(signum, "strsignal");
  // Its text is a thread's own, or constant: glibc since 2.32, musl.
  const char* const text = ::strsignal(signum);  // NOLINT(concurrency-mt-unsafe)
  // The text of a number without one starts so: glibc, musl, BSD.
  if (text == nullptr || std::string_view(text).starts_with("Unknown signal")) return std::nullopt;
  return text;
}

std::string signal_name(int signum) {
  for (const named& entry : table) {
    if (entry.number == signum) return "SIG" + std::string(entry.name);
  }
#if defined(SIGRTMIN) && defined(SIGRTMAX)
  if (signum == SIGRTMAX) return "SIGRTMAX";
  if (signum == SIGRTMIN) return "SIGRTMIN";
  if (signum > SIGRTMIN && signum < SIGRTMAX) {
    return "SIGRTMIN+" + std::to_string(signum - SIGRTMIN);
  }
#endif
  return "signal " + std::to_string(signum);
}

std::optional<int> signal_number(std::string_view name) noexcept {
  consume(name, "SIG");
  if (consume(name, "RTMIN")) return realtime(name, '+');
  if (consume(name, "RTMAX")) return realtime(name, '-');
  for (const named& entry : table) {
    std::string_view rest = name;
    if (consume(rest, entry.name) && rest.empty()) return entry.number;
  }
  return std::nullopt;
}

}  // namespace sigpp::inline v1
