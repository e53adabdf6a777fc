// Says what sigpp does: one command per line comes in, one reply goes out. probe.py says the same
// of Python, and run_cases.py asks both. A reply is what the function returned, or what it threw,
// and then the handlers that have run since the last one: "None; A(10)".
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <map>
#include <mutex>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <sigpp/sigpp.hpp>

#include "constants.hpp"

namespace {

using namespace std::chrono_literals;
using seconds = std::chrono::duration<double>;
using words = std::vector<std::string>;

// What Python tells by a TypeError when it runs does not compile here.
static_assert(!std::is_constructible_v<sigpp::handler, std::nullptr_t>);
static_assert(!std::is_constructible_v<sigpp::handler, int>);
static_assert(!std::is_invocable_v<decltype(&sigpp::alarm), seconds>);
static_assert(!std::is_invocable_v<decltype(&sigpp::default_int_handler), int>);
static_assert(!std::is_constructible_v<sigpp::signal_set, int>);

struct does_not_compile {};
struct not_an_int {};
struct handler_error {};  // what the handler "raises" throws

words handlers_run;
std::vector<pid_t> children;
std::chrono::steady_clock::time_point deadline;  // when the last sigtimedwait has ended
int wake_fd = -1;
int data_fd = -1;

void note(const std::string& name, int signum) {
  handlers_run.push_back(name + '(' + std::to_string(signum) + ')');
}

void raises(int signum) {
  note("raises", signum);
  throw handler_error();
}

// Sends its own signal the first time.
void again(int signum) {
  static bool sent = false;
  note("again", signum);
  if (std::exchange(sent, true)) return;
  sigpp::raise_signal(signum);
  handlers_run.push_back("end of again");
}

// Takes longer than the sigtimedwait that it interrupts.
void slow(int signum) {
  note("slow", signum);
  while (std::chrono::steady_clock::now() < deadline) {
  }
}

// One function object each, as in Python: what signal() returns must be the same.
const std::map<std::string, sigpp::handler>& handlers() {
  static const std::map<std::string, sigpp::handler> all{
      {"SIG_DFL", SIG_DFL},
      {"SIG_IGN", SIG_IGN},
      {"default_int_handler", sigpp::default_int_handler},
      {"A", [](int signum) { note("A", signum); }},
      {"B", [](int signum) { note("B", signum); }},
      {"raises", raises},
      {"again", again},
      {"slow", slow}};
  return all;
}

// --- words in, words out ------------------------------------------------------------------------

int to_int(const std::string& word) {
  std::size_t end = 0;
  int value = 0;
  try {
    value = std::stoi(word, &end);
  } catch (const std::out_of_range&) {
    throw not_an_int();
  }
  if (end != word.size()) throw not_an_int();
  return value;
}

seconds to_seconds(const std::string& word) { return seconds{std::strtod(word.c_str(), nullptr)}; }

sigpp::signal_set to_set(auto first, auto last) {
  if (first != last && *first == "valid") return sigpp::valid_signals();
  sigpp::signal_set set;
  for (; first != last; ++first) set.insert(to_int(*first));
  return set;
}

sigpp::handler to_handler(const std::string& word) {
  if (word == "5") throw does_not_compile();
  if (word == "nothing") return std::function<void(int)>{};
  return handlers().at(word);
}

int to_descriptor(const std::string& word) {
  if (word == "wake") return wake_fd;
  if (word == "data") return data_fd;
  return to_int(word);
}

std::string descriptor_name(int fd) { return fd == wake_fd ? "wake" : std::to_string(fd); }

std::string name_of(const sigpp::handler& handler) {
  if (handler.is_foreign()) return "foreign";
  for (const auto& [name, known] : handlers()) {
    if (known == handler) return name;
  }
  return "another";
}

std::string text_of(const sigpp::signal_set& set) {
  std::string text;
  for (int n : set) text += (text.empty() ? "" : ", ") + std::to_string(n);
  return '{' + text + '}';
}

std::string who(std::optional<pid_t> pid) {
  if (!pid) return "none";
  for (pid_t child : children) {
    if (pid == child) return "child";
  }
  if (pid == getpid()) return "self";
  return pid == getppid() ? "runner" : "another";
}

std::string describe(const std::optional<sigpp::signal_info>& info) {
  if (!info) return "None";
  std::ostringstream text;
  // Linux kernels differ about which of the two pthread_kill has.
  const int code = info->code() == SI_TKILL ? SI_USER : info->code();
  text << "signo " << info->number() << " code " << code << " errno "
       << info->native_handle().si_errno << " pid " << who(info->pid()) << " uid ";
  if (const auto uid = info->uid()) {
    text << (*uid == getuid() ? "me" : std::to_string(*uid));
  } else {
    text << "none";
  }
  if (info->status()) text << " status " << *info->status();
  return text.str();
}

// The delay in whole seconds, since time passes; the interval in microseconds.
std::string text_of(const sigpp::itimer_value& value) {
  const auto delay = std::chrono::round<std::chrono::seconds>(value.delay);
  return '(' + std::to_string(delay.count()) + " s, " + std::to_string(value.interval.count()) +
         " us)";
}

pid_t ended_child(int status, bool reap) {
  const pid_t child = fork();
  if (child == 0) _exit(status);
  children.push_back(child);
  if (reap) waitpid(child, nullptr, 0);
  return child;
}

pid_t to_process(const std::string& word) {
  if (word == "gone") return ended_child(0, true);
  return word == "self" ? getpid() : to_int(word);
}

int pidfd_of(pid_t pid) { return static_cast<int>(syscall(SYS_pidfd_open, pid, 0)); }

int to_pidfd(const std::string& word) {
  if (word == "gone") {
    const pid_t child = ended_child(0, false);
    const int fd = pidfd_of(child);
    waitpid(child, nullptr, 0);
    return fd;
  }
  if (word != "self" && word != "closed") return to_int(word);
  const int fd = pidfd_of(getpid());
  if (word == "closed") close(fd);
  return fd;
}

// --- commands -----------------------------------------------------------------------------------

constexpr auto none = "None";

std::string pthread_kill(const words& w) {
  if (w[0] == "self") {
    sigpp::pthread_kill(pthread_self(), to_int(w[1]));
    return none;
  }
  std::mutex mutex;
  std::jthread other;
  const std::lock_guard lock(mutex);  // destroyed before the thread is joined
  other = std::jthread([&] { const std::lock_guard wait(mutex); });
  const int signum = to_int(w[1]);
  sigpp::pthread_kill(other, signum);
  return none;
}

// By code that knows nothing of signals.
std::string read(const words& w) {
  char byte = 0;
  if (::read(to_descriptor(w[0]), &byte, 1) < 0) {
    throw std::system_error(errno, std::generic_category());
  }
  return {byte};
}

std::string fork_raise(const words& w) {
  const pid_t child = fork();
  if (child == 0) {
    sigpp::raise_signal(to_int(w[0]));
    _exit(0);
  }
  waitpid(child, nullptr, 0);
  return none;
}

std::string sigtimedwait(const words& w) {
  using std::chrono::steady_clock;
  const seconds length = to_seconds(w[0]);
  // Numbers that make no sense are for sigpp alone.
  if (length < 1h) {
    deadline = steady_clock::now() + std::chrono::ceil<steady_clock::duration>(length) + 100ms;
  }
  return describe(sigpp::sigtimedwait(to_set(w.begin() + 1, w.end()), length));
}

std::string pthread_sigmask(const words& w) {
  const std::map<std::string, int> names{
      {"SIG_BLOCK", SIG_BLOCK}, {"SIG_UNBLOCK", SIG_UNBLOCK}, {"SIG_SETMASK", SIG_SETMASK}};
  const auto how = names.find(w[0]);
  return text_of(sigpp::pthread_sigmask(how != names.end() ? how->second : 1700,
                                        to_set(w.begin() + 1, w.end())));
}

std::string setitimer(const words& w) {
  const int which = to_int(w[0]);
  return text_of(w.size() == 2 ? sigpp::setitimer(which, to_seconds(w[1]))
                               : sigpp::setitimer(which, to_seconds(w[1]), to_seconds(w[2])));
}

// None, after a function that returns nothing.
template <class F>
auto nothing(F f) {
  return [f](const words& w) {
    f(w);
    return std::string(none);
  };
}

const std::map<std::string, std::function<std::string(const words&)>>& commands() {
  static const std::map<std::string, std::function<std::string(const words&)>> all{
      {"Signals", [](const words& w) { return sigpp::signal_name(to_int(w[0])); }},
      {"Signals_of",
       [](const words& w) { return std::to_string(sigpp::signal_number(w[0]).value()); }},
      {"alarm",
       [](const words& w) {
         if (w[0].find('.') != std::string::npos) throw does_not_compile();
         return std::to_string(sigpp::alarm(std::chrono::seconds(std::stoll(w[0]))).count());
       }},
      {"check", nothing([](const words&) { sigpp::check(); })},
      {"close", nothing([](const words& w) { close(to_descriptor(w[0])); })},
      {"constant", [](const words& w) { return std::to_string(constant(w[0])); }},
      {"default_int_handler", nothing([](const words& w) {
         sigpp::default_int_handler(to_int(w[0]), sigpp::signal_info(to_int(w[0])));
       })},
      {"ended_child", nothing([](const words& w) { ended_child(to_int(w[0]), false); })},
      {"fires", nothing([](const words& w) {
         sigpp::setitimer(to_int(w[0]), to_seconds(w[1]));
         while (handlers_run.empty()) sigpp::check();
       })},
      {"foreign", nothing([](const words& w) { ::signal(to_int(w[0]), [](int) {}); })},
      {"fork_raise", fork_raise},
      {"getitimer", [](const words& w) { return text_of(sigpp::getitimer(to_int(w[0]))); }},
      {"getsignal", [](const words& w) { return name_of(sigpp::getsignal(to_int(w[0]))); }},
      {"kill", nothing([](const words& w) { sigpp::kill(to_process(w[0]), to_int(w[1])); })},
      {"killpg",
       nothing([](const words& w) { sigpp::killpg(getpgid(to_process(w[0])), to_int(w[1])); })},
      {"pause", nothing([](const words&) { sigpp::pause(); })},
      {"pidfd_send_signal", nothing([](const words& w) {
         sigpp::pidfd_send_signal(to_pidfd(w[0]), to_int(w[1]),
                                  w.size() > 2 ? static_cast<unsigned>(to_int(w[2])) : 0);
       })},
      {"pthread_kill", pthread_kill},
      {"pthread_sigmask", pthread_sigmask},
      {"raise_signal", nothing([](const words& w) { sigpp::raise_signal(to_int(w[0])); })},
      {"raise_signals", nothing([](const words& w) {
         for (const std::string& word : w) sigpp::raise_signal(to_int(word));
       })},
      {"read", read},
      {"set_wakeup_fd",
       [](const words& w) {
         const bool warn = w.size() < 2 || w[1] == "warn";
         const int fd = to_descriptor(w[0]);
         return descriptor_name(sigpp::set_wakeup_fd(fd, {.warn_on_full_buffer = warn}));
       }},
      {"setitimer", setitimer},
      {"siginterrupt",
       nothing([](const words& w) { sigpp::siginterrupt(to_int(w[0]), w[1] == "True"); })},
      {"signal",
       [](const words& w) { return name_of(sigpp::signal(to_int(w[0]), to_handler(w[1]))); }},
      {"sigpending", [](const words&) { return text_of(sigpp::sigpending()); }},
      {"sigqueue", nothing([](const words& w) {
         sigpp::sigqueue(to_process(w[0]), to_int(w[1]), to_int(w[2]));
       })},
      {"sigtimedwait", sigtimedwait},
      {"sigwait",
       [](const words& w) { return std::to_string(sigpp::sigwait(to_set(w.begin(), w.end()))); }},
      {"sigwaitinfo",
       [](const words& w) { return describe(sigpp::sigwaitinfo(to_set(w.begin(), w.end()))); }},
      {"strsignal", [](const words& w) { return sigpp::strsignal(to_int(w[0])).value_or("None"); }},
      {"valid_signals", [](const words&) { return text_of(sigpp::valid_signals()); }},
  };
  return all;
}

std::string errno_name(const std::error_code& code) {
  const std::map<int, std::string> names{{EAGAIN, "EAGAIN"}, {EBADF, "EBADF"},   {EINTR, "EINTR"},
                                         {EINVAL, "EINVAL"}, {ENOSYS, "ENOSYS"}, {EPERM, "EPERM"},
                                         {ESRCH, "ESRCH"}};
  const auto name = names.find(code.value());
  return name != names.end() ? name->second : code.message();
}

std::string result_of(words w) {
  const std::string name = w.front();
  w.erase(w.begin());
  try {
    return commands().at(name)(w);
  } catch (const std::system_error& error) {
    return "system_error " + errno_name(error.code());
  } catch (const std::invalid_argument&) {
    return "invalid_argument";
  } catch (const sigpp::keyboard_interrupt&) {
    return "keyboard_interrupt";
  } catch (const handler_error&) {
    return "handler_error";
  } catch (const does_not_compile&) {
    return "does not compile";
  } catch (const not_an_int&) {
    return "not an int";
  }
}

std::string on_thread(const words& w) {
  std::string result;
  std::thread([&] { result = result_of(w); }).join();
  return result;
}

}  // namespace

int main(int, char** argv) {
  wake_fd = std::atoi(argv[1]);
  data_fd = std::atoi(argv[2]);
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream text(line);
    words w;
    for (std::string word; text >> word;) w.push_back(word);
    if (w.front() == "begin") {
      std::cout << "begun" << std::endl;
      w.erase(w.begin());
    }
    const bool thread = w.front() == "thread";
    if (thread) w.erase(w.begin());
    std::string reply = thread ? on_thread(w) : result_of(w);
    for (const std::string& entry : handlers_run) reply += "; " + entry;
    handlers_run.clear();
    std::cout << reply << std::endl;
  }
}
