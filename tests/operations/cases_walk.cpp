// Rows of the operation test for the loss and the walk's update. Uses operation_case.h and references.h.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "tests/operations/references.h"

namespace blindspot::tests {
namespace {

Field given(const Shape& shape, std::uint64_t seed, double low = -1, double high = 1) {
  return {Kind::float32, shape, true, random_values(shape, seed, low, high)};
}

Field result(const Shape& shape, Kind kind = Kind::float32) {
  return {kind, shape, true, {}};
}

/// `lead`: how far the own class stands above random logits.
void add_loss(std::vector<OperationCase>& cases, std::int64_t batch, std::int64_t count, double lead) {
  const Shape logits = {batch, count};
  Field scores = given(logits, 111, -3, 3);
  Values classes;
  for (std::int64_t n = 0; n < batch; ++n) {
    classes.push_back(static_cast<double>((n * 5 + 2) % count));
    double& own = scores.values[static_cast<std::size_t>(n * count) + static_cast<std::size_t>(classes.back())];
    own = static_cast<double>(static_cast<float>(own + lead));
  }
  cases.push_back({fmt::format("cross_entropy_seed {} lead {}", logits.text(), lead),
                   {scores, {Kind::int32, {batch}, true, classes}},
                   {result({batch}), result(logits), result({batch})},
                   [](Call& call) {
                     call.device.probability(call.in[0], call.in[1], call.out[0]);
                     call.device.cross_entropy_seed(call.in[0], call.in[1], call.out[1], call.out[2]);
                   },
                   [](const auto& in) {
                     const reference::Seed seed = reference::cross_entropy_seed(in[0], in[1]);
                     return std::vector<Values>{reference::probability(in[0], in[1]), seed.seed, seed.inverse_scale};
                   }});
}

/// Dot products of one image.
struct Products {
  double with_direction = 0, with_itself = 0;
};

Products products(const std::vector<Values>& in, const Values& stand, std::size_t image, std::size_t count) {
  Products sums;
  for (std::size_t i = image * count; i < (image + 1) * count; ++i) {
    sums.with_direction += in[0][i] * (in[2][i] - stand[i]);
    sums.with_itself += in[0][i] * in[0][i];
  }
  return sums;
}

/// One step of one image, in place: A, the candidate; out[3] is where it stands.
void reference_step(const StepDescription& step, const std::vector<Values>& in, std::size_t image, std::size_t count,
                    std::vector<Values>& out) {
  const bool held = in[5][image] != 0;
  const auto limit = static_cast<double>(step.adversarial_step);
  for (std::size_t i = image * count; i < (image + 1) * count; ++i) {
    if (step.adversarial && !held) {
      out[1][i] = std::clamp(in[3][i] + limit / 2 * in[4][image] * in[0][i], -limit, limit);
    }
    const double x = out[3][i];
    const double direction = in[2][i] - x - out[0][image] * in[0][i];
    const double moved = x + static_cast<double>(step.step_size) * direction - (step.adversarial ? out[1][i] : 0);
    out[2][i] = held ? x : std::clamp(moved, 0.0, 1.0);
  }
}

/// Every third image is held, from the second on; every other one takes a candidate over, from the first on.
void add_step(std::vector<OperationCase>& cases, const Shape& images, bool adversarial, double magnitude,
              std::int64_t block, const Shape& input) {
  const Shape numbers = {images[0]};
  const auto count = static_cast<std::size_t>(images.count() / images[0]);
  const StepDescription description = {.step_size = 0.05F, .adversarial = adversarial, .adversarial_step = 0.004F};
  const InputLayout layout = {{0.485F, 0.456F, 0.406F}, {0.229F, 0.224F, 0.225F}, block};
  Field held{Kind::uint8, numbers, true, {}};
  Field accepted = held;
  for (std::int64_t n = 0; n < images[0]; ++n) {
    held.values.push_back(static_cast<double>(n % 3 == 1));
    accepted.values.push_back(static_cast<double>(n % 2 == 0));
  }
  cases.push_back(
      {fmt::format("step {} adversarial {} gradient {} block {}", images.text(), adversarial, magnitude, block),
       {given(images, 121, -magnitude, magnitude), given(images, 122, 0, 1), given(images, 123, 0, 1),
        given(images, 124, -0.004, 0.004), given(numbers, 125, 0.1, 2), held, accepted, given(images, 126, 0, 1)},
       {result(numbers), result(images), result(images), result(images), result(input, Kind::activation)},
       [description, layout](Call& call) {
         Device& device = call.device;
         device.copy(call.in[3], call.out[1]);
         device.copy(call.in[7], call.out[2]);
         device.copy(call.in[1], call.out[3]);
         device.projection(description, {call.in[0], call.in[2], call.out[2], call.in[6], call.out[3], call.out[0]});
         device.step(
             description,
             {call.in[0], call.in[4], call.out[0], call.in[2], call.out[3], call.in[5], call.out[1], call.out[2]},
             layout, call.out[4]);
       },
       [=](const auto& in) {
         std::vector<Values> out = {Values(in[4].size()), in[3], in[7], in[1]};
         for (std::size_t image = 0; image < in[4].size(); ++image) {
           for (std::size_t i = image * count; in[6][image] != 0 && i < (image + 1) * count; ++i) out[3][i] = in[7][i];
           const Products sums = products(in, out[3], image, count);
           out[0][image] = sums.with_itself == 0 ? 0 : sums.with_direction / sums.with_itself;
           reference_step(description, in, image, count, out);
         }
         const Values means(layout.mean.begin(), layout.mean.end());
         const Values deviations(layout.deviation.begin(), layout.deviation.end());
         out.push_back(reference::network_input(out[2], images, means, deviations, block, input));
         return out;
       }});
}

void add_select(std::vector<OperationCase>& cases, const Shape& shape, Kind kind) {
  const Shape numbers = {shape[0]};
  const auto count = static_cast<std::size_t>(shape.count() / shape[0]);
  cases.push_back(
      {fmt::format("accept and select {} {}", shape.text(), kind == Kind::float32 ? "float32" : "activation"),
       {given(numbers, 131, 0.5, 1),
        given(numbers, 132, 0.3, 0.8),
        {kind, shape, true, random_values(shape, 133)},
        {kind, shape, true, random_values(shape, 134)}},
       {result(numbers, Kind::uint8), result(shape, kind), result(shape, kind)},
       [](Call& call) {
         call.device.accept(call.in[0], call.in[1], 0.25F, call.out[0]);
         for (const std::size_t poison : {std::size_t{0}, std::size_t{1}}) {
           call.device.copy(call.in[3], call.out[1 + poison]);
           call.device.select(call.out[0], call.in[2], poison == 1, call.out[1 + poison]);
         }
       },
       [count](const auto& in) {
         std::vector<Values> out = {Values(in[0].size()), in[3], in[3]};
         for (std::size_t image = 0; image < in[0].size(); ++image) {
           if (!(in[0][image] - in[1][image] < 0.25)) continue;
           out[0][image] = 1;
           for (std::size_t i = image * count; i < (image + 1) * count; ++i) out[1][i] = out[2][i] = in[2][i];
         }
         return out;
       }});
}

/// Three judgements into a history of two lines, which holds the first two. Images lie in the last size, so that none
/// of the fields is one an image.
void add_note(std::vector<OperationCase>& cases, std::int64_t images) {
  const auto whole = [images](std::uint64_t seed) {
    return Field{Kind::float32, {images}, false, random_values({images}, seed, 0, 1)};
  };
  const Shape history = {2, 3, images};
  cases.push_back({"note_judgement " + history.text(),
                   {whole(141), whole(142), {Kind::int32, {1}, false, {0}}},
                   {{Kind::float32, history, false, {}}},
                   [images](Call& call) {
                     Array accepted = call.device.array(Type::uint8, {images});
                     call.device.accept(call.in[0], call.in[1], 0.25F, accepted);
                     for (const std::size_t first : {std::size_t{0}, std::size_t{1}, std::size_t{0}}) {
                       call.device.note_judgement(call.in[first], call.in[1 - first], accepted, call.in[2],
                                                  call.out[0]);
                     }
                   },
                   [](const auto& in) {
                     Values lines;
                     for (const std::size_t first : {std::size_t{0}, std::size_t{1}}) {
                       lines.insert(lines.end(), in[first].begin(), in[first].end());
                       lines.insert(lines.end(), in[1 - first].begin(), in[1 - first].end());
                       for (std::size_t n = 0; n < in[0].size(); ++n) lines.push_back(in[0][n] - in[1][n] < 0.25);
                     }
                     return std::vector<Values>{lines};
                   }});
}

}  // namespace

std::vector<OperationCase> walk_cases() {
  std::vector<OperationCase> cases;
  for (const double lead : {-20.0, 0.0, 3.0, 22.0, 80.0}) {
    add_loss(cases, 1, 3, lead);
    add_loss(cases, 7, 10, lead);
    add_loss(cases, 2, 1000, lead);
  }
  for (const bool adversarial : {false, true}) {
    add_step(cases, {1, 3, 1, 1}, adversarial, 1, 1, {1, 1, 1, 3});
    add_step(cases, {7, 3, 5, 7}, adversarial, 0.5, 2, {7, 3, 4, 12});
    add_step(cases, {2, 3, 90, 91}, adversarial, 2, 4, {2, 23, 23, 50});
    add_step(cases, {3, 3, 32, 48}, adversarial, 1, 16, {3, 2, 3, 768});
    add_step(cases, {2, 3, 8, 8}, adversarial, 1e-22, 2, {2, 4, 4, 16});
    add_step(cases, {2, 3, 4, 4}, adversarial, 0, 1, {2, 4, 4, 3});
  }
  for (const Kind kind : {Kind::float32, Kind::activation}) {
    add_select(cases, {1, 1}, kind);
    add_select(cases, {7, 3, 5, 6}, kind);
    add_select(cases, {5, 3, 90, 91}, kind);
  }
  for (const std::int64_t images : {1, 7, 300}) add_note(cases, images);
  return cases;
}

}  // namespace blindspot::tests
