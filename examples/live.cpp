// The live program of scripts/demo: shows every signal that comes, and what sigpp did with it.
#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include <sigpp/sigpp.hpp>

using namespace std::chrono_literals;

namespace {

// The terminal, key by key. Keys come as signals too: the terminal sends SIGIO. It is opened anew,
// so that these flags are not the shell's; only its mode has to be given back.
class keyboard {
 public:
  keyboard() : fd_(::open("/dev/tty", O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)) {
    if (!is_open()) return;
    ::tcgetattr(fd_, &saved_);
  }
  ~keyboard() {
    if (in_foreground()) ::tcsetattr(fd_, TCSANOW, &saved_);
    if (is_open()) ::close(fd_);
  }
  keyboard(const keyboard&) = delete;
  keyboard& operator=(const keyboard&) = delete;

  // Without waiting for the end of a line, without echo. ISIG stays on: Ctrl-C is still a signal.
  void take() {
    if (!in_foreground()) return;
    ::fcntl(fd_, F_SETOWN, ::getpid());
    ::fcntl(fd_, F_SETFL, O_NONBLOCK | O_ASYNC);
    termios raw = saved_;
    raw.c_lflag &= ~tcflag_t{ICANON | ECHO};
    ::tcsetattr(fd_, TCSANOW, &raw);
  }

  [[nodiscard]] bool is_open() const { return fd_ != -1; }

  // The window was closed.
  [[nodiscard]] bool is_gone() const {
    termios now{};
    return is_open() && ::tcgetattr(fd_, &now) == -1;
  }

  // nullopt: none was pressed.
  std::optional<char> key() {
    char c = 0;
    return ::read(fd_, &c, 1) == 1 ? std::optional<char>{c} : std::nullopt;
  }

 private:
  [[nodiscard]] bool in_foreground() const { return is_open() && ::tcgetpgrp(fd_) == ::getpgrp(); }

  int fd_;
  termios saved_{};
};

std::string command_of(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/comm");
  std::string name;
  return std::getline(file, name) ? name : "a process that is gone";
}

std::string text_of(int signum) { return sigpp::strsignal(signum).value_or("no text"); }

void show(const sigpp::signal_info& info) {
  std::cout << std::left << std::setw(9) << sigpp::signal_name(info.number()) << " ("
            << text_of(info.number()) << ") from ";
  if (const auto pid = info.pid()) {
    std::cout << "process " << *pid << " (" << command_of(*pid) << ')';
    if (const auto uid = info.uid()) std::cout << ", uid " << *uid;
  } else {
    std::cout << "the kernel";
  }
  if (const auto value = info.value()) std::cout << ", value " << value->sival_int;
  if (const auto status = info.status()) std::cout << ", status " << *status;
  std::cout << ": handled";
  if (info.merged() != 0) std::cout << ", together with " << info.merged() << " more";
  std::cout << std::endl;
}

const char* what_is_done(int signum) {
  const auto now = sigpp::getsignal(signum);
  return now.is_callable() ? "caught" : now.is_ignore() ? "ignored" : "default action";
}

class program {
 public:
  int run() {
    for (const int signum : sigpp::valid_signals()) {
      if (!is_left_alone(signum)) catch_signal(signum);
    }
    has_keys_ = keyboard_.is_open() && install(SIGIO, [this] { read_keys(); });
    if (has_keys_) keyboard_.take();
    welcome();
    if (has_keys_) read_keys();  // those that were pressed too early for a SIGIO
    while (running_) sigpp::pause();
    show_statistics();
    return 0;
  }

 private:
  // The signals that the keys change.
  static constexpr std::array menu{SIGHUP,  SIGINT,  SIGTERM,  SIGUSR1,
                                   SIGUSR2, SIGALRM, SIGWINCH, SIGPIPE};

  // Not to be caught, or the terminal's own: Ctrl-Z still stops the program, keys are no news.
  static bool is_left_alone(int signum) {
    return sigpp::signal_set{SIGKILL, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU, SIGIO}.contains(signum);
  }

  // False: sigpp keeps this signal for itself here.
  static bool install(int signum, sigpp::handler handler) {
    try {
      sigpp::signal(signum, std::move(handler));
      return true;
    } catch (const std::system_error&) {
      return false;
    }
  }

  void catch_signal(int signum) {
    install(signum, [this](int number, const sigpp::signal_info& info) {
      show(info);
      if (number == SIGCONT && has_keys_) keyboard_.take();
      if (number == SIGINT || keyboard_.is_gone()) running_ = false;
    });
  }

  void welcome() const {
    const std::string pid = std::to_string(::getpid());
    std::cout << "This is process " << pid << ". Try from another terminal:\n"
              << "  kill -USR1 " << pid << '\n'
              << "  kill -TERM " << pid << "    # shown here, not obeyed\n"
              << "  env kill -q 42 -s RTMIN " << pid << "    # a queued signal with a value\n"
              << "  for i in {1..1000}; do kill -USR2 " << pid
              << "; done    # the kernel merges what is still pending\n"
              << "  kill -KILL " << pid << "    # cannot be caught\n";
    if (has_keys_) {
      show_keys();
    } else {
      std::cout << "No keys: there is no terminal, or sigpp keeps SIGIO for itself here.\n";
    }
    std::cout << std::endl;
  }

  static void show_keys() {
    std::cout
        << "Keys: i ignore, r reset to default, c catch again (then asks which signal)\n"
           "      t start a 2 second timer, s show what each signal does, q or Ctrl-C shut down\n";
  }

  void read_keys() {
    while (const auto key = keyboard_.key()) {
      choice_ == 0 ? command(*key) : choose(*key);
      std::cout << std::flush;
    }
  }

  void command(char key) {
    switch (key) {
      case 'i':
        return ask(key, "Ignore");
      case 'r':
        return ask(key, "Reset");
      case 'c':
        return ask(key, "Catch");
      case 't':
        sigpp::setitimer(ITIMER_REAL, 2s);
        std::cout << "SIGALRM comes in 2 seconds.\n";
        return;
      case 's':
        return show_actions();
      case 'q':
        running_ = false;
        return;
      default:
        return show_keys();
    }
  }

  void ask(char key, const char* question) {
    choice_ = key;
    std::cout << question << " which?";
    for (std::size_t i = 0; i < menu.size(); ++i) {
      std::cout << ' ' << i + 1 << ' ' << sigpp::signal_name(menu[i]).substr(3);
    }
    std::cout << " (else none)\n";
  }

  void choose(char key) {
    const char choice = std::exchange(choice_, '\0');
    const auto index = static_cast<std::size_t>(key - '1');
    if (index >= menu.size()) {
      std::cout << "Nothing changed.\n";
      return;
    }
    const int signum = menu[index];
    if (choice == 'i') {
      sigpp::signal(signum, SIG_IGN);
    } else if (choice == 'r') {
      sigpp::signal(signum, SIG_DFL);
    } else {
      catch_signal(signum);
    }
    std::cout << sigpp::signal_name(signum) << ": " << what_is_done(signum) << ".\n";
  }

  static void show_actions() {
    for (const int signum : menu) {
      std::cout << std::left << std::setw(9) << sigpp::signal_name(signum) << what_is_done(signum)
                << '\n';
    }
  }

  static void show_statistics() {
    std::cout << "\nShutting down. What came:\n" << std::left << std::setw(12) << "" << std::right;
    for (const char* column : {"received", "handled", "merged", "dropped", "given back"}) {
      std::cout << std::setw(12) << column;
    }
    std::cout << '\n';
    for (const int signum : sigpp::valid_signals()) {
      const auto count = sigpp::statistics(signum);
      if (count.received == 0) continue;
      std::cout << std::left << std::setw(12) << sigpp::signal_name(signum) << std::right;
      for (const auto n :
           {count.received, count.handled, count.merged, count.discarded, count.reraised}) {
        std::cout << std::setw(12) << n;
      }
      std::cout << (signum == SIGIO ? "  (the keys)\n" : "\n");
    }
    std::cout << std::flush;
  }

  keyboard keyboard_;
  bool has_keys_ = false;
  bool running_ = true;
  char choice_ = 0;  // the command that waits for its signal
};

}  // namespace

int main() { return program().run(); }
