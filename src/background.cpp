#include <sigpp/background.hpp>

#include <unistd.h>

#include <cstdio>
#include <future>
#include <mutex>
#include <new>
#include <optional>
#include <thread>
#include <utility>

#include <sigpp/run.hpp>
#include <sigpp/sleep.hpp>
#include <sigpp/thread.hpp>

#include "mask.hpp"
#include "process.hpp"
#include "registry.hpp"

namespace sigpp::inline v1 {

namespace {

void report_and_terminate(const std::exception_ptr& what) {
  try {
    std::rethrow_exception(what);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "sigpp: a handler in the background has thrown: %s\n", e.what());
  } catch (...) {
    std::fputs("sigpp: a handler in the background has thrown\n", stderr);
  }
  std::terminate();
}

}  // namespace

class detail::background_thread {
 public:
  explicit background_thread(background_options options) : process_(getpid()) {
    if (options.on_error) loop_->on_error = std::move(options.on_error);
    std::promise<sigpp::dispatcher> ready;
    auto made = ready.get_future();
    {
      all_blocked guard;  // inherited by the thread
      loop_->programs_mask = guard.program_mask();
      thread_ = std::thread([this, &ready] { run(ready); });
    }
    try {
      where_.emplace(made.get());
    } catch (...) {
      thread_.join();
      throw;
    }
    registry::instance().begin_background(where_->core());
  }

  ~background_thread() {
    registry::instance().end_background(where_->core());
    if (process_ != getpid()) {  // there is no such thread here
      new (&thread_) std::thread();
      return;
    }
    interrupt(handle_, [loop = loop_] { loop->over = true; });
    if (thread_.get_id() == std::this_thread::get_id()) {  // a handler has called exit
      thread_.detach();
    } else {
      thread_.join();
    }
  }
  background_thread(const background_thread&) = delete;
  background_thread& operator=(const background_thread&) = delete;

  [[nodiscard]] bool is_alive() const noexcept { return process_ == getpid(); }
  [[nodiscard]] const sigpp::dispatcher& where() const noexcept { return *where_; }

 private:
  void run(std::promise<sigpp::dispatcher>& ready) noexcept {
    const auto loop = loop_;  // a handler may destroy the object
    programs_mask_here_is(loop->programs_mask);
    try {
      handle_ = this_thread::handle();
      ready.set_value(this_thread::dispatcher());
    } catch (...) {
      ready.set_exception(std::current_exception());
      return;
    }
    while (!loop->over) {
      try {
        pause();
      } catch (...) {
        loop->on_error(std::current_exception());
      }
    }
  }

  struct loop_state {
    std::function<void(std::exception_ptr)> on_error = report_and_terminate;
    bool over = false;  // touched by the thread alone
    sigset_t programs_mask;
  };
  std::shared_ptr<loop_state> loop_ = std::make_shared<loop_state>();
  pid_t process_;
  thread_handle handle_;
  std::optional<sigpp::dispatcher> where_;
  std::thread thread_;
};

namespace {
std::weak_ptr<detail::background_thread>& there_is() {
  static auto* const one = new std::weak_ptr<detail::background_thread>;
  return *one;
}

}  // namespace

background::background(background_options options) {
  const std::lock_guard lock(detail::background_mutex);
  thread_ = there_is().lock();
  if (thread_ != nullptr && thread_->is_alive()) return;
  thread_ = std::make_shared<detail::background_thread>(std::move(options));
  there_is() = thread_;
}

background::~background() = default;

dispatcher background::dispatcher() const { return thread_->where(); }

}  // namespace sigpp::inline v1
