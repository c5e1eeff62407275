#include "core/door.h"

#include <dlfcn.h>
#include <link.h>

#include <filesystem>

#include "core/status.h"

namespace dk {
namespace {

// Of the library or program that this is part of. The loader knows a program by its first argument only, which may be any word.
std::filesystem::path own_folder() {
  Dl_info info{};
  link_map* map = nullptr;
  const int found = dladdr1(reinterpret_cast<const void*>(&own_folder), &info, reinterpret_cast<void**>(&map), RTLD_DL_LINKMAP);
  std::error_code ignored;
  if (found == 0 || map == nullptr || *map->l_name == 0)
    return std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path();
  return std::filesystem::absolute(map->l_name, ignored).parent_path();
}

}  // namespace

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
