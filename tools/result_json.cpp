// Implementation of result_json.h.
#include "tools/result_json.h"

namespace blindspot::tools {

namespace {

Json parameters_json(const WalkParameters& parameters) {
  Json result = Json::object();
  result["step_size"] = exact(parameters.step_size);
  result["iterations"] = parameters.iterations;
  result["delta"] = exact(parameters.delta);
  result["adversarial"] = parameters.adversarial;
  result["adversarial_step"] = exact(parameters.adversarial_step);
  result["seed"] = parameters.seed;
  result["record_every"] = parameters.record_every;
  result["mode"] = parameters.mode == WalkMode::reference ? "reference" : "default";
  return result;
}

Json participant(const std::string& path, std::int32_t index, const ClassNames& names, float probability) {
  Json result = Json::object();
  result["path"] = path;
  result["class"] = index;
  if (names.known() && !names.name(index).empty()) result["name"] = names.name(index);
  result["probability"] = exact(probability);
  return result;
}

Json final_of(const WalkedPair& pair) {
  Json result = Json::object();
  result["probability"] = exact(pair.result.probability);
  result["target_probability"] = exact(pair.result.target_probability);
  result["probability_8bit"] = exact(pair.probability_8bit);
  result["outside"] = pair.result.outside;
  result["rmse"] = pair.rmse;
  result["linf"] = pair.linf;
  result["ssim"] = pair.ssim ? Json(*pair.ssim) : Json(nullptr);
  result["lpips"] = pair.lpips ? Json(*pair.lpips) : Json(nullptr);
  return result;
}

Json width_of(const PathWidth& width) {
  if (!width.measured) return nullptr;
  Json radii = Json::array();
  for (const WidthRadius& radius : width.radii) {
    radii.push_back({{"radius", radius.radius}, {"q05", radius.q05}, {"q95", radius.q95}});
  }
  return radii;
}

Json records_of(const WalkedPair& pair) {
  Json records = Json::array();
  for (std::size_t i = 0; i < pair.result.records.size(); ++i) {
    const WalkRecord& record = pair.result.records[i];
    Json entry = Json::object();
    entry["iteration"] = record.iteration;
    entry["probability"] = exact(record.probability);
    entry["target_probability"] = exact(record.target_probability);
    if (i < pair.widths.size()) entry["width"] = width_of(pair.widths[i]);
    records.push_back(std::move(entry));
  }
  return records;
}

Json pair_of(const WalkPlan& plan, const ClassNames& names, const WalkedPair& pair) {
  const Participant& source = plan.sources[pair.numbers.source];
  const Participant& target = plan.targets[pair.numbers.target];
  Json result = Json::object();
  result["source"] = participant(source.path, source.predicted, names, pair.result.source_probability);
  result["target"] = participant(target.path, target.predicted, names, target.probability);
  result["start_probability"] = exact(pair.result.start_probability);
  result["final"] = final_of(pair);
  result["accepted"] = pair.result.accepted;
  result["rejected"] = pair.result.rejected;
  result["records"] = records_of(pair);
  return result;
}

}  // namespace

Json result_document(const Model& model, const DistanceMeasure& distances, const WalkPlan& plan,
                     const ClassNames& names, std::span<const WalkedPair> walked, bool interrupted) {
  Json result = document("traverse");
  result["model"] = to_json(model.information());
  result["device"] = model.device();
  result["device_description"] = model.device_description();
  if (const std::vector<std::string> plans = model.plans(); !plans.empty()) result["plans"] = plans;
  result["precision"] = to_string(model.precision());
  result["batch"] = model.batch();
  result["threads"] = model.threads();
  result["parameters"] = parameters_json(plan.parameters);
  result["lpips_sha256"] = distances.lpips_sha256().empty() ? Json(nullptr) : Json(distances.lpips_sha256());
  if (interrupted) result["interrupted"] = true;
  result["dropped"] = Json::array();
  for (const DroppedSource& dropped : plan.dropped) {
    Json entry = Json::object();
    entry["source"] = dropped.path;
    entry["reason"] = dropped.reason;
    result["dropped"].push_back(std::move(entry));
  }
  result["pairs"] = Json::array();
  for (const WalkedPair& pair : walked) result["pairs"].push_back(pair_of(plan, names, pair));
  return result;
}

}  // namespace blindspot::tools
