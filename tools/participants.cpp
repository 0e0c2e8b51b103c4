// Implementation of participants.h.
#include "tools/participants.h"

#include <fmt/format.h>

#include <algorithm>
#include <iostream>

namespace blindspot::tools {

std::vector<NamedImage> load_all(const std::vector<std::string>& paths, const Preprocessing& preprocessing,
                                 const Cancelled& cancelled) {
  std::vector<NamedImage> all;
  for (const std::string& path : paths) {
    for (NamedImage& image : load_images(path, preprocessing, cancelled)) all.push_back(std::move(image));
  }
  return all;
}

std::vector<const Image*> pointers_to(const std::vector<NamedImage>& images) {
  std::vector<const Image*> pointers;
  pointers.reserve(images.size());
  for (const NamedImage& named : images) pointers.push_back(&named.image);
  return pointers;
}

std::vector<Participant> classify_all(Model& model, std::vector<NamedImage> images) {
  const std::vector<const Image*> pointers = pointers_to(images);
  std::vector<std::int32_t> classes;
  std::vector<float> probabilities;
  for (const std::vector<float>& logits : model.logits(pointers)) {
    classes.push_back(predicted_class(logits));
    probabilities.push_back(static_cast<float>(softmax(logits)[static_cast<std::size_t>(classes.back())]));
  }
  // What is recorded is fp32 whatever the network runs in.
  if (model.precision() != Precision::fp32) probabilities = model.probabilities_fp32(pointers, classes);
  std::vector<Participant> participants;
  for (std::size_t i = 0; i < images.size(); ++i) {
    participants.push_back({std::move(images[i].name), std::move(images[i].image), classes[i], probabilities[i]});
  }
  return participants;
}

void say_what_is_assumed(const Model& model, bool quiet) {
  if (quiet) return;
  if (const std::string note = model.device_note(); !note.empty()) std::cerr << note << '\n';
  const ModelInformation& information = model.information();
  if (information.assumed_heads > 0) {
    std::cerr << fmt::format("{} attention heads are assumed, from the width; --heads says otherwise\n",
                             information.assumed_heads);
  }
  if (!information.preprocessing_assumed) return;
  const Preprocessing& chosen = information.preprocessing;
  const char* interpolation = chosen.interpolation == Interpolation::bilinear ? "bilinear" : "bicubic";
  std::cerr << fmt::format("preprocessing is assumed, from {}: resize {} {}, crop {}, mean {},{},{}, std {},{},{}\n",
                           information.preprocessing_source, chosen.resize, interpolation, chosen.crop, chosen.mean[0],
                           chosen.mean[1], chosen.mean[2], chosen.deviation[0], chosen.deviation[1],
                           chosen.deviation[2]);
}

}  // namespace blindspot::tools
