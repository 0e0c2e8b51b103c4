// Implementation of json_output.h.
#include "tools/json_output.h"

#include <fmt/format.h>

#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <iostream>
#include <system_error>

#include "tools/text_output.h"

namespace blindspot::tools {

Json exact(float value) {
  if (!std::isfinite(value)) return nullptr;
  // The double nearest to the shortest decimal of the float32 prints as that same decimal.
  return std::strtod(fmt::format("{}", value).c_str(), nullptr);
}

Json document(const std::string& name) {
  Json result = Json::object();
  result["schema"] = fmt::format("blindspot/{}/1", name);
  result["version"] = version();
  return result;
}

Json to_json(const Preprocessing& preprocessing) {
  const auto channels = [](const std::array<float, 3>& values) {
    return Json{exact(values[0]), exact(values[1]), exact(values[2])};
  };
  Json result = Json::object();
  result["input_size"] = preprocessing.input_size;
  result["resize"] = preprocessing.resize;
  result["interpolation"] = preprocessing.interpolation == Interpolation::bilinear ? "bilinear" : "bicubic";
  result["crop"] = preprocessing.crop;
  result["mean"] = channels(preprocessing.mean);
  result["std"] = channels(preprocessing.deviation);
  return result;
}

Json to_json(const ModelInformation& information) {
  Json result = Json::object();
  result["name"] = information.name;
  result["architecture"] = information.architecture;
  result["sha256"] = information.sha256.empty() ? Json(nullptr) : Json(information.sha256);
  result["weights_sha256"] = information.weights_sha256;
  result["preprocessing"] = to_json(information.preprocessing);
  return result;
}

std::string to_text(const Json& document) {
  return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

void print(const std::string& text) {
  errno = 0;
  std::cout << text << std::flush;
  if (std::cout) return;
  const std::error_code reason(errno, std::generic_category());
  if (reason == std::errc::broken_pipe) throw ReaderGone();
  throw Error(ErrorKind::input, "stdout: cannot be written" + (reason ? ": " + reason_of(reason) : std::string()));
}

void write_text(const std::filesystem::path& path, const std::string& text) {
  const std::error_code reason = try_to_write_text(path, text);
  if (!reason) return;
  throw Error(ErrorKind::input, fmt::format("{}: cannot be written: {}", path.string(), reason_of(reason)));
}

}  // namespace blindspot::tools
