// What a call that is misused says.
#pragma once

#include <functional>
#include <string>

#include "base/error.h"

namespace memlayers::tests {

/// The message of the base::UsageError that `call` throws, or "no error".
inline std::string usage_error(const std::function<void()>& call) {
  try {
    call();
  } catch (const base::UsageError& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace memlayers::tests
