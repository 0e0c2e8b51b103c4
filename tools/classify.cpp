// `blindspot classify`: logits and the likeliest classes of images. Uses the public headers and the shared pieces of
// tools/.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "tools/class_names.h"
#include "tools/commands.h"
#include "tools/json_output.h"
#include "tools/options.h"
#include "tools/participants.h"

namespace blindspot::tools {

namespace {

constexpr std::size_t classes_shown = 5;

struct ClassifyOptions {
  std::string model;
  std::vector<std::string> images;
  std::string class_names;
  ModelOptions network;
  PrintingOptions printing;
};

bool parse(const Arguments& arguments, ClassifyOptions& options) {
  CommandLine line("classify", "Logits of images, and their likeliest classes.",
                   "blindspot classify resnet50.safetensors dog.jpg cat.jpg --class-names names.txt");
  line.argument("MODEL", options.model,
                "Weight file, Hugging Face folder, name in the weight folder, demo-resnet or demo-vit");
  line.arguments("IMG", options.images, "JPEG, PNG, or .safetensors with a tensor `image`");
  line.heading("Network and its input");
  add_class_names_option(line, options.class_names);
  add_network_options(line, options.network);
  add_device_options(line, options.network);
  add_batch_option(line, options.network);
  add_printing_options(line, options.printing);
  return line.parse(arguments);
}

struct Ranked {
  std::size_t index = 0;
  double probability = 0;
};

/// The likeliest first; equals in the order of their numbers.
std::vector<Ranked> likeliest(const std::vector<float>& logits) {
  const std::vector<double> probabilities = softmax(logits);
  std::vector<std::size_t> order(logits.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&logits](std::size_t a, std::size_t b) { return logits[a] > logits[b]; });
  order.resize(std::min(order.size(), classes_shown));
  std::vector<Ranked> ranked;
  ranked.reserve(order.size());
  for (const std::size_t k : order) ranked.push_back({k, probabilities[k]});
  return ranked;
}

Json image_json(const NamedImage& image, const std::vector<float>& logits, const ClassNames& names) {
  Json result = Json::object();
  result["path"] = image.name;
  result["logits"] = Json::array();
  for (const float logit : logits) result["logits"].push_back(exact(logit));
  result["top"] = Json::array();
  for (const Ranked& ranked : likeliest(logits)) {
    const auto index = static_cast<std::int64_t>(ranked.index);
    Json entry = Json::object();
    entry["class"] = index;
    entry["name"] = names.known() ? Json(names.name(index)) : Json(nullptr);
    entry["probability"] = ranked.probability;
    result["top"].push_back(std::move(entry));
  }
  return result;
}

std::string image_line(const NamedImage& image, const std::vector<float>& logits, const ClassNames& names) {
  std::string text = image.name + ":";
  for (const Ranked& ranked : likeliest(logits)) {
    text += fmt::format("{} {} {:.4f}", text.back() == ':' ? "" : ",",
                        names.label(static_cast<std::int64_t>(ranked.index)), ranked.probability);
  }
  return text + "\n";
}

}  // namespace

int run_classify(const Arguments& arguments, const StopSignals& stop) {
  ClassifyOptions options;
  if (!parse(arguments, options)) return 0;
  options.network.cancelled = stop.cancelled();
  Model model = Model::open(options.model, options.network);
  const ClassNames names(options.class_names, model.information());
  const std::vector<NamedImage> images = load_all(options.images, model.information().preprocessing, stop.cancelled());
  say_what_is_assumed(model, options.printing.quiet);
  const std::vector<std::vector<float>> logits = model.logits(pointers_to(images));
  if (!options.printing.json) {
    std::string text;
    for (std::size_t i = 0; i < images.size(); ++i) text += image_line(images[i], logits[i], names);
    print(text);
    return 0;
  }
  Json result = document("classify");
  result["model"] = to_json(model.information());
  result["device"] = model.device();
  result["precision"] = to_string(model.precision());
  result["batch"] = model.batch();
  result["threads"] = model.threads();
  result["images"] = Json::array();
  for (std::size_t i = 0; i < images.size(); ++i) result["images"].push_back(image_json(images[i], logits[i], names));
  print(to_text(result));
  return 0;
}

}  // namespace blindspot::tools
