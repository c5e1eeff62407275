#include "core/own_folder.h"

#include <dlfcn.h>
#include <link.h>

namespace dk {

// The loader knows a program by its first argument only, which may be any word.
std::filesystem::path own_folder() {
  Dl_info info{};
  link_map* map = nullptr;
  const int found = dladdr1(reinterpret_cast<const void*>(&own_folder), &info, reinterpret_cast<void**>(&map), RTLD_DL_LINKMAP);
  std::error_code ignored;
  if (found == 0 || map == nullptr || *map->l_name == 0)
    return std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path();
  return std::filesystem::absolute(map->l_name, ignored).parent_path();
}

}  // namespace dk
