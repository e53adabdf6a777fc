#include <sigpp/thread.hpp>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <new>
#include <optional>

#include <sigpp/check.hpp>

#include "errors.hpp"
#include "platform/platform.hpp"
#include "process.hpp"
#include "safe_point.hpp"
#include "thread_control.hpp"

namespace sigpp::inline v1 {

thread_handle this_thread::handle() { return thread_handle(detail::this_control()); }

bool interrupt(const thread_handle& thread, std::function<void()> f) {
  return thread.control() && thread.control()->request(std::move(f)) != 0;
}

bool interrupt(const thread_handle& thread) {
  return interrupt(thread, [] { throw interrupted{}; });
}

// The callback may run on any thread, also within the constructor; its destruction waits for it.
class detail::stop_request {
 public:
  stop_request(std::stop_token token, std::uint64_t scope)
      : scope_(scope), control_(this_control()), callback_(std::move(token), request{this}) {}
  ~stop_request() {
    callback_.reset();
    control_->take_back(id_.load());
  }
  stop_request(const stop_request&) = delete;
  stop_request& operator=(const stop_request&) = delete;

 private:
  struct request {
    stop_request* to;
    void operator()() const {
      to->id_.store(to->control_->request([scope = to->scope_] { throw interrupted(scope); }));
    }
  };
  std::uint64_t scope_;
  std::shared_ptr<thread_control> control_;
  std::atomic<thread_control::request_id> id_{0};
  class optional_callback {
   public:
    optional_callback(std::stop_token token, request r) { made_.emplace(std::move(token), r); }
    void reset() noexcept { made_.reset(); }

   private:
    std::optional<std::stop_callback<request>> made_;
  } callback_;
};

namespace {
constinit thread_local std::uint64_t last_scope = 0;
}

stop_scope::stop_scope(std::stop_token token)
    : id_(++last_scope), request_(std::make_unique<detail::stop_request>(std::move(token), id_)) {}
stop_scope::~stop_scope() = default;

void join(std::thread& thread) {
  using namespace std::chrono_literals;
  if (!thread.joinable()) throw_errno(EINVAL, "join", "the thread is not joinable");
  if (thread.get_id() == std::this_thread::get_id()) {
    throw_errno(EDEADLK, "join", "a thread cannot wait for itself");
  }
  for (std::chrono::nanoseconds pause = 50us;;
       pause = std::min<std::chrono::nanoseconds>(2 * pause, 10ms)) {
    check();
    if (platform::try_join(thread.native_handle())) break;
    const auto until = std::chrono::steady_clock::now() + pause;
    if (detail::has_safe_points() && !detail::is_deferred()) {
      detail::wait_for_attention(until);
    } else {
      std::this_thread::sleep_until(until);
    }
  }
  // It is joined: the object shall not try again. It holds nothing but the thread's number.
  new (&thread) std::thread();
}

}  // namespace sigpp::inline v1
