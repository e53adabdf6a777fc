#include "blocking/calls.hpp"

namespace sigpp::inline v1 {

constinit const blocking::word blocking::never{0};

}  // namespace sigpp::inline v1
