// walk MODEL SOURCE TARGET: walks from one picture towards another, through the C++ interface.
#include <blindspot/distances.h>
#include <blindspot/model.h>

#include <cstdio>

namespace {

std::int32_t predicted(blindspot::Model& model, const blindspot::Image& image) {
  return blindspot::predicted_class(model.logits({&image}).front());
}

int walk(const char* model_name, const char* source_path, const char* target_path) {
  blindspot::Model model = blindspot::Model::open(model_name);
  const blindspot::Preprocessing& preprocessing = model.information().preprocessing;
  const auto load = [&](const char* path) {
    return blindspot::to_image(blindspot::preprocess(blindspot::read_picture(path), preprocessing));
  };
  const blindspot::Image source = load(source_path), target = load(target_path);
  blindspot::WalkOptions options;
  options.finished = [&](std::size_t, blindspot::WalkResult&& result) {
    std::printf("%.4f -> %.4f, %lld steps taken, %.4f from the target\n", result.source_probability, result.probability,
                static_cast<long long>(result.accepted), blindspot::rmse(result.final_image, target));
  };
  model.walk({{&source, &target, predicted(model, source), predicted(model, target), 0, nullptr}},
             blindspot::WalkParameters::paper(), options);
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  try {
    if (count == 4) return walk(arguments[1], arguments[2], arguments[3]);
    std::fprintf(stderr, "usage: walk MODEL SOURCE TARGET\n");
    return 2;
  } catch (const blindspot::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return static_cast<int>(error.kind());
  }
}
