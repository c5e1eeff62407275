// What was found out about a card once, kept in files for the next run: a text for each question. The folder is
// DARKNET_PLAN_CACHE, else darknet-studio/plans in the user's cache folder. Several programs may use it at once; what is damaged
// or was written for another card, driver or cuDNN is as good as absent, and a folder that can't be written only costs the time
// to find out again.
#pragma once

#include <optional>
#include <string>

namespace dk::cuda {

class PlanCache {
 public:
  // machine: all that answers depend on beside the question. folder "": nothing is kept.
  PlanCache(std::string folder, std::string machine);

  std::optional<std::string> find(const std::string& question) const;
  void keep(const std::string& question, const std::string& answer) const;

  static std::string default_folder();

 private:
  std::string path_of(const std::string& question) const;
  std::string head_of(const std::string& question, const std::string& answer) const;

  std::string folder_, machine_;
};

}  // namespace dk::cuda
