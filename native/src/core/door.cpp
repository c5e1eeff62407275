#include "core/door.h"

#include <dlfcn.h>

#include <filesystem>

#include "core/own_folder.h"
#include "core/status.h"

namespace dk {
Door::Door(const char* library, const char* version_function, int32_t version, const char* absent) : library_(library) {
  const std::filesystem::path path = own_folder() / library;
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) {
    reason_ = absent;
    return;
  }
  handle_ = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle_ == nullptr) {
    reason_ = strf("%s can't be loaded: %s", library, dlerror());
    return;
  }
  const auto own_version = look_up<int32_t (*)()>(version_function);
  if (reason_.empty() && own_version() != version) reason_ = strf("%s is of another version than this program", library);
}

void* Door::find(const char* name) {
  if (!reason_.empty()) return nullptr;
  void* const found = dlsym(handle_, name);
  if (found == nullptr) reason_ = strf("%s is damaged or of another version than this program", library_.c_str());
  return found;
}

}  // namespace dk
