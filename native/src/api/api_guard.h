// What every function of the C interface goes through: no exception gets out, the message of the last failure is kept for
// the calling thread. The functions themselves are in c_api.cpp.
#pragma once

#include <new>
#include <string>

#include "core/status.h"
#include "darknet_bridge.h"

namespace dk {

// The text that dk_last_error() hands out, one a thread.
inline std::string& last_api_error() {
  thread_local std::string text;
  return text;
}

// Keeps the message; without memory for it, none.
inline dk_status api_failure(Status status, const char* message) noexcept {
  try {
    last_api_error() = message;
  } catch (...) { last_api_error().clear(); }
  return static_cast<dk_status>(status);
}

// Runs body() and turns what it throws into a status.
template <typename Body>
dk_status api_guard(Body&& body) noexcept {
  last_api_error().clear();
  try {
    body();
    return DK_OK;
  } catch (const Error& error) { return api_failure(error.status(), error.what()); } catch (const std::bad_alloc&) {
    return api_failure(Status::memory, "not enough memory");
  } catch (const std::exception& error) { return api_failure(Status::internal, error.what()); } catch (...) {
    return api_failure(Status::internal, "an unknown exception");
  }
}

// A caller's struct as this library knows it: `known` filled with defaults, then as many bytes as the caller has.
template <typename T>
T take_struct(const T* given, const T& defaults) {
  T known = defaults;
  if (given == nullptr) return known;
  if (given->struct_size < sizeof(uint32_t) || given->struct_size > 4096) {
    bad_input("a struct_size of %u: set it to sizeof the struct", given->struct_size);
  }
  const size_t bytes = given->struct_size < sizeof(T) ? given->struct_size : sizeof(T);
  __builtin_memcpy(&known, given, bytes);
  return known;
}

}  // namespace dk
