#include <sigpp/handler.hpp>

namespace sigpp::inline v1 {

namespace {

class foreign_action final : public detail::action {
 public:
  explicit foreign_action(const struct sigaction& native) : native_(native) {}
  // Only the kernel can call it as it was meant to be called: with its mask and flags.
  void call(const signal_info&) override { throw std::bad_function_call(); }
  [[nodiscard]] bool same_as(const action& other) const noexcept override {
    const struct sigaction* o = other.native();
    return o != nullptr && o->sa_flags == native_.sa_flags &&
           ((o->sa_flags & SA_SIGINFO) != 0 ? o->sa_sigaction == native_.sa_sigaction
                                            : o->sa_handler == native_.sa_handler);
  }
  [[nodiscard]] const struct sigaction* native() const noexcept override { return &native_; }

 private:
  struct sigaction native_;
};

}  // namespace

// SIG_DFL and SIG_IGN keep their flags, too: SA_NOCLDWAIT makes SIG_DFL mean something else.
handler handler::from_native(const struct sigaction& native) {
  handler h;
  const bool plain = (native.sa_flags & SA_SIGINFO) == 0;
  h.kind_ = plain && native.sa_handler == SIG_DFL   ? kind::system_default
            : plain && native.sa_handler == SIG_IGN ? kind::ignore
                                                    : kind::foreign;
  h.action_ = std::make_shared<foreign_action>(native);
  return h;
}

}  // namespace sigpp::inline v1
