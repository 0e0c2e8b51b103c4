// Presets and ranges of the walk's parameters, with the messages that a user sees. Uses the public walk.h.
#include <doctest/doctest.h>

#include <functional>
#include <limits>
#include <string>

#include "blindspot/error.h"
#include "blindspot/walk.h"

namespace blindspot {
namespace {

std::string refusal(const std::function<void(WalkParameters&)>& change) {
  WalkParameters parameters;
  change(parameters);
  try {
    parameters.check();
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::usage);
    return error.what();
  }
  return {};
}

TEST_CASE("presets are those of the paper and of the authors' program") {
  const WalkParameters paper = WalkParameters::paper();
  CHECK(paper.step_size == 0.01F);
  CHECK(paper.iterations == 400);
  CHECK(paper.delta == 0.2F);
  CHECK(paper.adversarial);
  CHECK(paper.adversarial_step == 0.002F);
  CHECK(paper.record_every == 20);
  const WalkParameters authors = WalkParameters::authors_default();
  CHECK(authors.step_size == 0.05F);
  CHECK(authors.iterations == 100);
  CHECK(authors.delta == 0.05F);
  CHECK_FALSE(authors.adversarial);
  CHECK(authors.adversarial_step == static_cast<float>(1.0 / 255));
  paper.check();
  authors.check();
}

TEST_CASE("a value out of range is refused by the name of its option") {
  constexpr float nan = std::numeric_limits<float>::quiet_NaN();
  CHECK(refusal([](auto& p) { p.delta = 1.5F; }) == "--delta 1.5: must be between 0 and 1");
  CHECK(refusal([](auto& p) { p.delta = -0.25F; }).starts_with("--delta -0.25"));
  CHECK(refusal([](auto& p) { p.delta = nan; }).starts_with("--delta nan"));
  CHECK(refusal([](auto& p) { p.step_size = 0; }).starts_with("--step-size 0"));
  CHECK(refusal([](auto& p) { p.step_size = std::numeric_limits<float>::infinity(); }).starts_with("--step-size inf"));
  CHECK(refusal([](auto& p) { p.iterations = -1; }) == "--iterations -1: must be 0 or more");
  CHECK(refusal([](auto& p) { p.adversarial_step = -1; }).starts_with("--adversarial-step -1"));
  CHECK(refusal([](auto& p) { p.record_every = 0; }) == "--record-every 0: must be 1 or more");
  CHECK(refusal([](auto& p) { p.delta = 0, p.adversarial_step = 0, p.iterations = 0; }).empty());
  CHECK(refusal([](auto& p) { p.delta = 1; }).empty());
}

}  // namespace
}  // namespace blindspot
