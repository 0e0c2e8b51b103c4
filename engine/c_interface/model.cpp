// The C interface: opening and describing a model, loading images, logits and gradients. Uses the public C++ interface.
#include "engine/c_interface/calls.h"
#include "engine/c_interface/model_handle.h"

namespace blindspot::c_interface {
namespace {

std::string text_or(const char* text, const char* otherwise) {
  return text == nullptr ? otherwise : text;
}

std::optional<std::array<float, 3>> channels_of(const float* three) {
  if (three == nullptr) return std::nullopt;
  return std::array<float, 3>{three[0], three[1], three[2]};
}

/// 0: not said.
std::optional<int> size_of(std::int32_t number, const char* name) {
  if (number < 0) throw Error(ErrorKind::usage, std::string(name) + ": must be 0 or more");
  return number == 0 ? std::nullopt : std::optional<int>(number);
}

std::optional<Interpolation> interpolation_of(const char* name) {
  if (name == nullptr) return std::nullopt;
  if (std::string_view(name) == "bilinear") return Interpolation::bilinear;
  if (std::string_view(name) == "bicubic") return Interpolation::bicubic;
  throw Error(ErrorKind::usage, std::string("interpolation ") + name + ": it must be bilinear or bicubic");
}

ModelOptions options_of(const blindspot_model_options* wanted) {
  const blindspot_model_options given = read_struct(wanted, "options", blindspot_model_options{});
  ModelOptions options;
  options.device = text_or(given.device, "auto");
  if (given.precision != nullptr) options.precision = precision_from(given.precision);
  options.architecture = text_or(given.architecture, "");
  if (given.heads != 0) options.heads = given.heads;
  options.batch = given.batch;
  if (given.rule_seed != 0) options.rule_seed = given.rule_seed;
  options.threads = given.threads;
  options.preprocessing.resize = size_of(given.resize, "resize");
  options.preprocessing.crop = size_of(given.crop, "crop");
  options.preprocessing.input_size = size_of(given.input_size, "input_size");
  options.preprocessing.interpolation = interpolation_of(given.interpolation);
  options.preprocessing.mean = channels_of(given.mean);
  options.preprocessing.deviation = channels_of(given.deviation);
  if (given.cancelled != nullptr) {
    options.cancelled = [ask = given.cancelled, context = given.context] { return ask(context) != 0; };
  }
  return options;
}

blindspot_model* handle_of(Model model) {
  std::string device = model.device();
  std::string precision = to_string(model.precision());
  return new blindspot_model{std::move(model), std::move(device), std::move(precision)};
}

void copy_channels(const std::array<float, 3>& from, float (&to)[3]) {
  std::copy(from.begin(), from.end(), to);
}

blindspot_model_information information_of(const blindspot_model& handle) {
  const ModelInformation& known = handle.model.information();
  const Preprocessing& preprocessing = known.preprocessing;
  blindspot_model_information information{};
  information.name = known.name.c_str();
  information.architecture = known.architecture.c_str();
  information.sha256 = known.sha256.c_str();
  information.weights_sha256 = known.weights_sha256.c_str();
  information.device = handle.device.c_str();
  information.precision = handle.precision.c_str();
  information.preprocessing_source = known.preprocessing_source.c_str();
  information.interpolation = preprocessing.interpolation == Interpolation::bilinear ? "bilinear" : "bicubic";
  information.parameter_count = known.parameter_count;
  information.class_count = known.class_count;
  information.batch = handle.model.batch();
  information.threads = handle.model.threads();
  information.input_size = preprocessing.input_size;
  information.resize = preprocessing.resize;
  information.crop = preprocessing.crop;
  information.preprocessing_assumed = known.preprocessing_assumed ? 1 : 0;
  copy_channels(preprocessing.mean, information.mean);
  copy_channels(preprocessing.deviation, information.deviation);
  information.assumed_heads = known.assumed_heads;
  return information;
}

void copy_image(const Image& image, float* to) {
  std::copy(image.values.begin(), image.values.end(), to);
}

/// `rows` one behind the other; nothing where the caller does not want them.
template <typename Value>
void copy_row(const std::vector<Value>& row, std::size_t number, Value* to) {
  if (to != nullptr) std::copy(row.begin(), row.end(), to + number * row.size());
}

}  // namespace
}  // namespace blindspot::c_interface

using namespace blindspot::c_interface;

const char* blindspot_version(void) {
  return blindspot::version().data();
}

blindspot_status blindspot_model_open(const char* model, const blindspot_model_options* options,
                                      blindspot_model** opened, blindspot_error* error) {
  return guarded(error, [&] {
    need(opened, "opened");
    *opened = nullptr;
    need(model, "model");
    *opened = handle_of(blindspot::Model::open(model, options_of(options)));
  });
}

blindspot_status blindspot_model_open_memory(const char* name, const void* bytes, size_t byte_count,
                                             const blindspot_model_options* options, blindspot_model** opened,
                                             blindspot_error* error) {
  return guarded(error, [&] {
    need(opened, "opened");
    *opened = nullptr;
    need(name, "name");
    if (byte_count != 0) need(bytes, "bytes");
    const std::span<const std::byte> file(static_cast<const std::byte*>(bytes), byte_count);
    *opened = handle_of(blindspot::Model::open_memory(name, file, options_of(options)));
  });
}

void blindspot_model_close(blindspot_model* model) {
  delete model;
}

blindspot_status blindspot_model_describe(blindspot_model* model, blindspot_model_information* information,
                                          blindspot_error* error) {
  return guarded(error, [&] {
    need(model, "model");
    write_struct(information_of(*model), information, "information");
  });
}

const char* blindspot_class_name(const blindspot_model* model, int32_t class_index) {
  if (model == nullptr || class_index < 0) return nullptr;
  const std::vector<std::string>& names = model->model.information().classes;
  const auto index = static_cast<std::size_t>(class_index);
  return index < names.size() ? names[index].c_str() : nullptr;
}

blindspot_status blindspot_load_image(blindspot_model* model, const char* path, float* image, blindspot_error* error) {
  return guarded(error, [&] {
    need(model, "model");
    need(path, "path");
    need(image, "image");
    const auto images = blindspot::load_images(path, model->model.information().preprocessing);
    if (images.size() != 1) {
      throw blindspot::Error(blindspot::ErrorKind::input, std::string(path) + ": holds " +
                                                              std::to_string(images.size()) +
                                                              " images; one is loaded at a time, give a file with one");
    }
    copy_image(images.front().image, image);
  });
}

blindspot_status blindspot_decode_image(blindspot_model* model, const void* bytes, size_t byte_count, float* image,
                                        blindspot_error* error) {
  return guarded(error, [&] {
    need(model, "model");
    need(bytes, "bytes");
    need(image, "image");
    const std::span<const std::uint8_t> encoded(static_cast<const std::uint8_t*>(bytes), byte_count);
    const blindspot::Picture picture = blindspot::decode_picture(encoded, "the image in memory");
    copy_image(blindspot::to_image(blindspot::preprocess(picture, model->model.information().preprocessing)), image);
  });
}

blindspot_status blindspot_classify(blindspot_model* model, const float* images, size_t count, float* logits,
                                    double* probabilities, blindspot_error* error) {
  return guarded(error, [&] {
    need(model, "model");
    const std::vector<blindspot::Image> all = images_of(images, count, model->input_size(), "images");
    const std::vector<std::vector<float>> rows = model->model.logits(pointers_to(all));
    for (std::size_t i = 0; i < rows.size(); ++i) {
      copy_row(rows[i], i, logits);
      copy_row(blindspot::softmax(rows[i]), i, probabilities);
    }
  });
}

blindspot_status blindspot_gradients(blindspot_model* model, const float* images, const int32_t* classes, size_t count,
                                     float* gradients, float* logits, double* cross_entropies, blindspot_error* error) {
  return guarded(error, [&] {
    need(model, "model");
    if (count == 0) return;
    need(classes, "classes");
    need(gradients, "gradients");
    const std::vector<blindspot::Image> all = images_of(images, count, model->input_size(), "images");
    const auto results = model->model.gradients(pointers_to(all), {classes, classes + count});
    for (std::size_t i = 0; i < results.size(); ++i) {
      copy_row(results[i].gradient.values, i, gradients);
      copy_row(results[i].logits, i, logits);
      if (cross_entropies != nullptr) cross_entropies[i] = results[i].cross_entropy;
    }
  });
}
