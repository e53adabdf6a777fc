#include <sigpp/background.hpp>

#include <unistd.h>

#include <future>
#include <iostream>
#include <mutex>
#include <new>
#include <optional>
#include <thread>
#include <utility>

#include <sigpp/run.hpp>
#include <sigpp/sleep.hpp>
#include <sigpp/thread.hpp>

#include "mask.hpp"
#include "registry.hpp"

namespace sigpp::inline v1 {

namespace {

// Not a function's parameter: whoever throws it is a request of ours.
class end_of_the_background {};

void report_and_terminate(const std::exception_ptr& what) {
  try {
    std::rethrow_exception(what);
  } catch (const std::exception& e) {
    std::cerr << "sigpp: a handler in the background has thrown: " << e.what() << '\n';
  } catch (...) {
    std::cerr << "sigpp: a handler in the background has thrown\n";
  }
  std::terminate();
}

}  // namespace

class detail::background_thread {
 public:
  explicit background_thread(background_options options)
      : on_error_(options.on_error ? std::move(options.on_error) : report_and_terminate),
        process_(getpid()) {
    std::promise<sigpp::dispatcher> ready;
    auto made = ready.get_future();
    {
      const all_blocked guard;  // inherited by the thread
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
    interrupt(handle_, [] { throw end_of_the_background{}; });
    if (thread_.get_id() == std::this_thread::get_id()) {  // a handler has called exit
      thread_.detach();
    } else {
      thread_.join();
    }
  }
  background_thread(const background_thread&) = delete;
  background_thread& operator=(const background_thread&) = delete;

  [[nodiscard]] const sigpp::dispatcher& where() const noexcept { return *where_; }

 private:
  void run(std::promise<sigpp::dispatcher>& ready) noexcept {
    try {
      handle_ = this_thread::handle();
      ready.set_value(this_thread::dispatcher());
    } catch (...) {
      ready.set_exception(std::current_exception());
      return;
    }
    for (;;) {
      try {
        pause();
      } catch (const end_of_the_background&) {
        return;
      } catch (...) {
        on_error_(std::current_exception());
      }
    }
  }

  std::function<void(std::exception_ptr)> on_error_;
  pid_t process_;
  thread_handle handle_;
  std::optional<sigpp::dispatcher> where_;
  std::thread thread_;
};

namespace {

std::mutex& making() {
  static auto* const one = new std::mutex;  // never destroyed: statics use it at the end
  return *one;
}
std::weak_ptr<detail::background_thread>& there_is() {
  static auto* const one = new std::weak_ptr<detail::background_thread>;
  return *one;
}

}  // namespace

background::background(background_options options) {
  const std::lock_guard lock(making());
  thread_ = there_is().lock();
  if (thread_ != nullptr) return;
  thread_ = std::make_shared<detail::background_thread>(std::move(options));
  there_is() = thread_;
}

background::~background() = default;

dispatcher background::dispatcher() const { return thread_->where(); }

}  // namespace sigpp::inline v1
