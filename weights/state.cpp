// StateDict: canonical names over a file's tensors, and checking them against a declaration. Uses name_maps.h,
// sha256.h.
#include "weights/state.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "weights/message.h"
#include "weights/name_maps.h"
#include "weights/sha256.h"

namespace blindspot::weights {
namespace {

constexpr std::size_t most_names_in_message = 5;

/// The tensors of a file that make up one canonical tensor: one, or query, key and value.
struct Origin {
  int parts = 1;
  std::array<std::ptrdiff_t, 3> indices{-1, -1, -1};
};

bool has_hugging_face_names(const WeightFile& file) {
  return std::any_of(file.tensors().begin(), file.tensors().end(), [](const TensorInformation& tensor) {
    const std::string_view name = without_prefixes(tensor.name);
    return name.starts_with("vit.") || name.starts_with("deit.") || name.starts_with("resnet.");
  });
}

std::map<std::string, Origin> origins_of(const WeightFile& file, const std::string& printable_file,
                                         bool is_hugging_face) {
  std::map<std::string, Origin> origins;
  for (std::size_t i = 0; i < file.tensors().size(); ++i) {
    const std::string& raw = file.tensors()[i].name;
    const std::string_view name = without_prefixes(raw);
    if (is_companion(name)) continue;
    const CanonicalName canonical = canonical_name(name, is_hugging_face);
    Origin& origin = origins[canonical.name];
    origin.parts = std::max(origin.parts, canonical.parts);
    auto& index = origin.indices.at(static_cast<std::size_t>(canonical.part));
    if (index >= 0) {
      refuse(printable_file, fmt::format("the tensors {} and {} have the same name {} once prefixes are off",
                                         printable(file.tensors()[static_cast<std::size_t>(index)].name),
                                         printable(raw), printable(canonical.name)));
    }
    index = static_cast<std::ptrdiff_t>(i);
  }
  return origins;
}

/// Shape of query, key and value joined along their first dimension.
TensorInformation joined(const WeightFile& file, const std::string& printable_file, const std::string& name,
                         const Origin& origin) {
  TensorInformation whole;
  for (int part = 0; part < origin.parts; ++part) {
    const std::ptrdiff_t index = origin.indices.at(static_cast<std::size_t>(part));
    if (index < 0) refuse(printable_file, fmt::format("{} lacks its query, key or value", printable(name)));
    const TensorInformation& tensor = file.tensors()[static_cast<std::size_t>(index)];
    if (part == 0) {
      whole = tensor;
    } else if (tensor.shape.empty() || tensor.shape.size() != whole.shape.size() ||
               !std::equal(tensor.shape.begin() + 1, tensor.shape.end(), whole.shape.begin() + 1)) {
      refuse(printable_file, fmt::format("query, key and value of {} differ in shape", printable(name)));
    } else {
      whole.shape[0] += tensor.shape[0];
    }
  }
  whole.name = name;
  return whole;
}

std::string names_in_message(const std::vector<std::string>& names) {
  const std::size_t shown = std::min(names.size(), most_names_in_message);
  std::string text =
      fmt::format("{}", fmt::join(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(shown), ", "));
  if (shown < names.size()) text += fmt::format(" and {} more ({} in all)", names.size() - shown, names.size());
  return text;
}

}  // namespace

StateDict StateDict::from_file(std::shared_ptr<const WeightFile> file, Cancelled cancelled) {
  StateDict state;
  state.cancelled_ = std::move(cancelled);
  state.file_ = std::move(file);
  const WeightFile& contents = *state.file_;
  state.name_ = contents.name();
  state.metadata_ = contents.metadata();
  const std::string printable_file = printable(state.name_);
  state.has_hugging_face_names_ = blindspot::weights::has_hugging_face_names(contents);
  for (const auto& [name, origin] : origins_of(contents, printable_file, state.has_hugging_face_names_)) {
    state.tensors_.push_back(joined(contents, printable_file, name, origin));
    state.readers_.emplace_back([file = &contents, origin = origin] {
      std::vector<float> values = file->read(static_cast<std::size_t>(origin.indices[0]));
      for (int part = 1; part < origin.parts; ++part) {
        const auto more = file->read(static_cast<std::size_t>(origin.indices.at(static_cast<std::size_t>(part))));
        values.insert(values.end(), more.begin(), more.end());
      }
      return values;
    });
  }
  return state;
}

StateDict StateDict::from_rule(std::string name, std::vector<TensorDeclaration> declaration,
                               std::function<std::vector<float>(const TensorDeclaration&)> make, Cancelled cancelled) {
  std::sort(declaration.begin(), declaration.end(),
            [](const TensorDeclaration& a, const TensorDeclaration& b) { return a.name < b.name; });
  StateDict state;
  state.cancelled_ = std::move(cancelled);
  state.name_ = std::move(name);
  const auto shared_make =
      std::make_shared<const std::function<std::vector<float>(const TensorDeclaration&)>>(std::move(make));
  for (const TensorDeclaration& tensor : declaration) {
    state.tensors_.push_back({tensor.name, tensor.shape, ElementType::f32});
    state.readers_.emplace_back([tensor, shared_make] { return (*shared_make)(tensor); });
  }
  return state;
}

const std::string& StateDict::name() const {
  return name_;
}
const std::vector<TensorInformation>& StateDict::tensors() const {
  return tensors_;
}
const std::map<std::string, std::string>& StateDict::metadata() const {
  return metadata_;
}

bool StateDict::has_hugging_face_names() const {
  return has_hugging_face_names_;
}

const TensorInformation* StateDict::find(std::string_view tensor) const {
  const auto found = std::lower_bound(tensors_.begin(), tensors_.end(), tensor,
                                      [](const TensorInformation& a, std::string_view b) { return a.name < b; });
  return found != tensors_.end() && found->name == tensor ? &*found : nullptr;
}

void StateDict::check(std::string_view architecture, std::span<const TensorDeclaration> declaration) const {
  std::vector<std::string> missing, misshapen, surplus;
  std::vector<bool> declared(tensors_.size(), false);
  for (const TensorDeclaration& wanted : declaration) {
    const TensorInformation* const tensor = find(wanted.name);
    if (tensor == nullptr) {
      missing.push_back(wanted.name);
      continue;
    }
    declared[static_cast<std::size_t>(tensor - tensors_.data())] = true;
    if (tensor->shape != wanted.shape) {
      misshapen.push_back(fmt::format("{} is [{}], not [{}]", wanted.name, fmt::join(tensor->shape, ", "),
                                      fmt::join(wanted.shape, ", ")));
    }
  }
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    if (!declared[i]) surplus.push_back(printable(tensors_[i].name));
  }
  std::vector<std::string> findings;
  if (!missing.empty()) findings.push_back("missing: " + names_in_message(missing));
  if (!surplus.empty()) findings.push_back("surplus: " + names_in_message(surplus));
  if (!misshapen.empty()) findings.push_back("misshapen: " + names_in_message(misshapen));
  if (findings.empty()) return;
  refuse(printable(name_), fmt::format("does not hold the weights of {}; {}", architecture, fmt::join(findings, "; ")));
}

std::vector<float> StateDict::read(std::string_view tensor) const {
  stop_if(cancelled_);
  const TensorInformation* const found = find(tensor);
  if (found == nullptr) refuse(printable(name_), fmt::format("has no tensor {}", printable(tensor)));
  std::vector<float> values = readers_[static_cast<std::size_t>(found - tensors_.data())]();
  if (tensor.ends_with("running_var") && std::any_of(values.begin(), values.end(), [](float v) { return v < 0; })) {
    refuse(printable(name_), fmt::format("tensor {} holds a negative variance", printable(tensor)));
  }
  return values;
}

std::string StateDict::sha256() const {
  Sha256 digest;
  for (const TensorInformation& tensor : tensors_) digest.add(std::as_bytes(std::span<const float>(read(tensor.name))));
  return digest.hexadecimal();
}

void StateDict::release_pages() const {
  if (file_) file_->release_pages();
}

}  // namespace blindspot::weights
