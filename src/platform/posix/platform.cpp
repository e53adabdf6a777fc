// Any POSIX.1-2008 system.
#include "platform/platform.hpp"
#include "mask.hpp"

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <ctime>
#include <list>
#include <mutex>
#include <system_error>
#include <thread>

namespace sigpp::inline v1::platform {

namespace {

// The thread that initialises the program or loads the library: by far most often the one of
// main().
// Noted early: constructors of statics may register handlers.
pthread_t main_thread;
[[gnu::constructor(101)]] void note_main_thread() { main_thread = pthread_self(); }

}  // namespace

fork_memory map_fork_memory(std::size_t bytes) {
  void* const address = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
  if (address == MAP_FAILED) {
    throw std::system_error(errno, std::generic_category(), "sigpp: no memory for signals");
  }
  return {address, false};
}

bool is_main_thread() noexcept { return pthread_equal(pthread_self(), main_thread) != 0; }

void adopt_main_thread() noexcept { main_thread = pthread_self(); }

int set_action(int signum, const struct sigaction* action, struct sigaction* old) noexcept {
  return sigaction(signum, action, old);
}

bool doorbell_can_be_shared() noexcept { return false; }

namespace {

bool make_pipe(int (&ends)[2]) noexcept {
  if (pipe(ends) != 0) return false;
  for (const int end : ends) {
    fcntl(end, F_SETFD, FD_CLOEXEC);
    fcntl(end, F_SETFL, O_NONBLOCK);
  }
  return true;
}

}  // namespace

bool take_pending(const sigset_t&, siginfo_t&) noexcept { return false; }
bool takes_signals() noexcept { return false; }
bool take_signal(const sigset_t&, std::optional<std::chrono::nanoseconds>, siginfo_t&) {
  return false;
}

void kill_later(int signum) noexcept {
  try {
    std::thread([signum] {
      const timespec second{.tv_sec = 1, .tv_nsec = 0};
      nanosleep(&second, nullptr);
      kill(getpid(), signum);
    }).detach();
  } catch (const std::system_error&) {  // without a thread: no sooner than the flush ends
  }
}

void* make_grace_timer() noexcept { return nullptr; }
void delete_grace_timer(void*) noexcept {}
bool raise_here(int signum) noexcept { return ::raise(signum) == 0; }
void* make_nag_timer() noexcept { return nullptr; }

doorbell_descriptor make_doorbell_descriptor() {
  int ends[2];
  if (!make_pipe(ends)) {
    throw std::system_error(errno, std::generic_category(), "sigpp: no descriptor to poll");
  }
  return {ends[0], ends[1]};
}

void remake(doorbell_descriptor& both) noexcept {
  if (both.to_poll < 0) return;
  int ends[2] = {-1, -1};
  if (!make_pipe(ends) || dup2(ends[0], both.to_poll) < 0 || dup2(ends[1], both.to_write) < 0) {
    close(both);
  } else {
    fcntl(both.to_poll, F_SETFD, FD_CLOEXEC);
    fcntl(both.to_write, F_SETFD, FD_CLOEXEC);
  }
  for (const int end : ends) {
    if (end >= 0) ::close(end);
  }
}

void empty(const doorbell_descriptor& which) noexcept {
  char bytes[64];
  while (read(which.to_poll, bytes, sizeof bytes) > 0) {
  }
}

void close(doorbell_descriptor& both) noexcept {
  if (both.to_poll >= 0) ::close(both.to_poll);
  if (both.to_write >= 0) ::close(both.to_write);
  both = {};
}

bool wait_for_handler(const sigset_t& mask, std::optional<std::chrono::nanoseconds> timeout) {
  timespec limit{};
  if (timeout) {
    // POSIX lets pselect refuse more than 31 days; the caller goes on with what is left.
    constexpr std::chrono::nanoseconds longest = std::chrono::days{31};
    const auto length = timeout < longest ? *timeout : longest;
    limit.tv_sec = static_cast<time_t>(length.count() / 1'000'000'000);
    limit.tv_nsec = static_cast<long>(length.count() % 1'000'000'000);
  }
  return pselect(0, nullptr, nullptr, nullptr, timeout ? &limit : nullptr, &mask) != 0;
}

namespace {

// Ends a sigwait that has begun for nothing, as another thread has taken what was pending.
class rescue {
 public:
  rescue() : waiter_(pthread_self()), thread_([this] { run(); }) {}
  ~rescue() { end(); }
  // Has it rung?
  bool end() {
    {
      const std::lock_guard lock(mutex_);
      over_ = true;
    }
    changed_.notify_one();
    if (thread_.joinable()) thread_.join();
    return rung_;
  }
  rescue(const rescue&) = delete;
  rescue& operator=(const rescue&) = delete;

 private:
  void run() {
    std::unique_lock lock(mutex_);
    while (!changed_.wait_for(lock, std::chrono::milliseconds(10), [this] { return over_; })) {
      pthread_kill(waiter_, SIGPP_DOORBELL_SIGNAL);
      rung_ = true;
    }
  }

  pthread_t waiter_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool over_ = false;
  bool rung_ = false;
  std::thread thread_;  // the last one: it uses the others. Has every signal blocked
};

// It came too late, and there may be no handler for it.
void take_back_the_ring() {
  sigset_t ring;
  sigemptyset(&ring);
  sigaddset(&ring, SIGPP_DOORBELL_SIGNAL);
  int taken = 0;
  sigwait(&ring, &taken);
}

}  // namespace

// sigwait alone cannot be told to give up, nor be interrupted. So: is one pending? Then take it.
// Another thread that unblocks it, or waits for it too, may be quicker in between.
int wait_for_signal(const sigset_t& wanted, const sigset_t&, const sigset_t& mask,
                    std::optional<std::chrono::nanoseconds> timeout, siginfo_t& info) {
  using std::chrono::steady_clock;
  constexpr std::chrono::nanoseconds look_again = std::chrono::milliseconds(10);
  const auto start = steady_clock::now();
  for (;;) {
    sigset_t pending;
    sigpending(&pending);
    sigset_t take;
    sigemptyset(&take);
    bool any = false;
    for (int n = 1; n < NSIG; ++n) {
      // A ring is nobody's signal.
      if (n == SIGPP_DOORBELL_SIGNAL || sigismember(&wanted, n) != 1) continue;
      if (sigismember(&pending, n) != 1) continue;
      sigaddset(&take, n);
      any = true;
    }
    int taken = 0;
    if (any) {
      sigaddset(&take, SIGPP_DOORBELL_SIGNAL);
      rescue when_it_is_gone;
      const int error = sigwait(&take, &taken);
      if (when_it_is_gone.end() && taken != SIGPP_DOORBELL_SIGNAL) take_back_the_ring();
      if (error != 0) return -1;
      info = {};
      info.si_signo = taken;
      return taken == SIGPP_DOORBELL_SIGNAL ? -1 : taken;
    }
    auto pause = look_again;
    if (timeout) {
      const auto left = *timeout - (steady_clock::now() - start);
      if (left <= left.zero()) return 0;
      pause = std::min(pause, left);
    }
    if (wait_for_handler(mask, pause)) return -1;
  }
}

std::string symbol_at(const void*) { return {}; }

int send_to_pidfd(int, int, unsigned) noexcept {
  errno = ENOSYS;
  return -1;
}

int accept_with(int fd, sockaddr* from, socklen_t* length, int flags) noexcept {
  if (flags != 0) {
    errno = EINVAL;
    return -1;
  }
  return accept(fd, from, length);
}

int epoll_now(int, void*, int) noexcept {
  errno = ENOSYS;
  return -1;
}

// POSIX has no join that does not wait; so one thread waits for each.
bool try_join(pthread_t thread) {
  struct joiner {
    pthread_t thread;
    bool done;
  };
  static std::mutex mutex;
  static auto& all = *new std::list<joiner>;  // never destroyed: the threads use it
  const std::lock_guard lock(mutex);
  auto at = std::find_if(all.begin(), all.end(),
                         [&](const joiner& j) { return pthread_equal(j.thread, thread) != 0; });
  if (at == all.end()) {
    at = all.insert(all.end(), {thread, false});
    const detail::all_blocked guard;
    std::thread([at] {
      pthread_join(at->thread, nullptr);
      const std::lock_guard ended(mutex);
      at->done = true;
    }).detach();
  }
  if (!at->done) return false;
  all.erase(at);
  return true;
}

// sigqueue is an option that this file does without.
int queue_signal(pid_t, int, const sigval&) noexcept {
  errno = ENOSYS;
  return -1;
}

}  // namespace sigpp::inline v1::platform
