// `blindspot gradient`: the gradient of the cross entropy with respect to an image, as a safetensors file. Uses the
// public headers and the shared pieces of tools/.
#include <fmt/format.h>

#include "blindspot/weights.h"
#include "tools/commands.h"
#include "tools/json_output.h"
#include "tools/numbers.h"
#include "tools/options.h"
#include "tools/output_folder.h"
#include "tools/participants.h"

namespace blindspot::tools {

namespace {

struct GradientOptions {
  std::string model, image;
  std::int64_t class_index = 0;
  ModelOptions network;
  OutputOptions output;
  PrintingOptions printing;
};

bool parse(const Arguments& arguments, GradientOptions& options) {
  CommandLine line(
      "gradient",
      "Gradient of the cross entropy (natural logarithm) of a class with respect to the image in [0,1]. Writes "
      "the tensors `image`, `gradient` [N,3,H,W] and `logits` [N,K].",
      "blindspot gradient resnet50.safetensors dog.jpg --class 207 -o gradient.safetensors");
  line.argument("MODEL", options.model,
                "Weight file, Hugging Face folder, name in the weight folder, demo-resnet or demo-vit");
  line.argument("IMG", options.image, "JPEG, PNG, or .safetensors with a tensor `image`");
  line.option(
      "--class", "K", "The class",
      [&options](const std::string& text) { options.class_index = read_count("--class", text, 0, 1'000'000'000); },
      Need::required);
  add_output_options(line, options.output, "FILE", "The safetensors file to write");
  add_network_options(line, options.network);
  add_device_options(line, options.network);
  add_batch_option(line, options.network);
  add_printing_options(line, options.printing);
  return line.parse(arguments);
}

void check_class(const GradientOptions& options, std::int64_t class_count) {
  if (options.class_index < class_count) return;
  throw Error(ErrorKind::usage,
              fmt::format("--class {}: the network has the classes 0 to {}", options.class_index, class_count - 1));
}

void write_gradients(const std::string& path, const std::vector<NamedImage>& images,
                     const std::vector<Model::Gradient>& gradients, std::int32_t class_index,
                     const ModelInformation& information) {
  std::vector<float> image_values;
  std::vector<float> gradient_values;
  std::vector<float> logit_values;
  for (std::size_t i = 0; i < images.size(); ++i) {
    const std::vector<float>& image = images[i].image.values;
    const std::vector<float>& gradient = gradients[i].gradient.values;
    const std::vector<float>& logits = gradients[i].logits;
    image_values.insert(image_values.end(), image.begin(), image.end());
    gradient_values.insert(gradient_values.end(), gradient.begin(), gradient.end());
    logit_values.insert(logit_values.end(), logits.begin(), logits.end());
  }
  const auto count = static_cast<std::int64_t>(images.size());
  const std::int64_t side = information.preprocessing.input_size;
  const std::vector<std::int64_t> shape{count, 3, side, side};
  write_float_tensors(path, {{"class", std::to_string(class_index)}, {"weights_sha256", information.weights_sha256}},
                      {{"image", shape, image_values},
                       {"gradient", shape, gradient_values},
                       {"logits", {count, information.class_count}, logit_values}});
}

Json gradient_json(const NamedImage& image, const Model::Gradient& gradient, std::int32_t class_index) {
  Json result = Json::object();
  result["path"] = image.name;
  result["class"] = class_index;
  result["probability"] = softmax(gradient.logits)[static_cast<std::size_t>(class_index)];
  result["cross_entropy"] = gradient.cross_entropy;
  return result;
}

}  // namespace

int run_gradient(const Arguments& arguments, const StopSignals& stop) {
  GradientOptions options;
  if (!parse(arguments, options)) return 0;
  check_output_file(options.output.path, options.output.overwrite);
  options.network.cancelled = stop.cancelled();
  Model model = Model::open(options.model, options.network);
  const ModelInformation& information = model.information();
  check_class(options, information.class_count);
  const std::vector<NamedImage> images = load_images(options.image, information.preprocessing, stop.cancelled());
  say_what_is_assumed(model, options.printing.quiet);
  const auto class_index = static_cast<std::int32_t>(options.class_index);
  const std::vector<Model::Gradient> gradients =
      model.gradients(pointers_to(images), std::vector<std::int32_t>(images.size(), class_index));
  write_gradients(options.output.path, images, gradients, class_index, information);
  if (options.printing.json) {
    Json result = document("gradient");
    result["model"] = to_json(information);
    result["device"] = model.device();
    result["precision"] = to_string(model.precision());
    result["output"] = options.output.path;
    result["images"] = Json::array();
    for (std::size_t i = 0; i < images.size(); ++i) {
      result["images"].push_back(gradient_json(images[i], gradients[i], class_index));
    }
    print(to_text(result));
    return 0;
  }
  std::string text;
  for (std::size_t i = 0; i < images.size(); ++i) {
    text += fmt::format("{}: cross entropy of class {} is {:.6g}\n", images[i].name, class_index,
                        gradients[i].cross_entropy);
  }
  print(text + fmt::format("written to {}\n", options.output.path));
  return 0;
}

}  // namespace blindspot::tools
