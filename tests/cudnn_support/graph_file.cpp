// Implementation of graph_file.h: JSON, enumerations as their numbers.
#include "tests/cudnn_support/graph_file.h"

#include <fstream>
#include <nlohmann/json.hpp>

namespace blindspot::tests {

namespace {

using Json = nlohmann::json;
using cuda::GraphDescription;
using cuda::OperationDescription;
using cuda::TensorDescription;

Json to_json(const TensorDescription& tensor) {
  return {{"name", tensor.name},
          {"dimensions", tensor.dimensions},
          {"strides", tensor.strides},
          {"type", static_cast<int>(tensor.type)},
          {"virtual", tensor.is_virtual}};
}

Json to_json(const OperationDescription& operation) {
  return {
      {"kind", static_cast<int>(operation.kind)}, {"inputs", operation.inputs},       {"outputs", operation.outputs},
      {"pad_before", operation.pad_before},       {"pad_after", operation.pad_after}, {"stride", operation.stride},
      {"score_scale", operation.score_scale}};
}

TensorDescription tensor_from(const Json& json) {
  return {json.at("name"), json.at("dimensions"), json.at("strides"), static_cast<Type>(json.at("type").get<int>()),
          json.at("virtual")};
}

OperationDescription operation_from(const Json& json) {
  OperationDescription operation;
  operation.kind = static_cast<cuda::OperationKind>(json.at("kind").get<int>());
  operation.inputs = json.at("inputs").get<std::vector<int>>();
  operation.outputs = json.at("outputs").get<std::vector<int>>();
  operation.pad_before = json.at("pad_before").get<std::vector<std::int64_t>>();
  operation.pad_after = json.at("pad_after").get<std::vector<std::int64_t>>();
  operation.stride = json.at("stride").get<std::vector<std::int64_t>>();
  operation.score_scale = json.at("score_scale");
  return operation;
}

GraphDescription graph_from(const Json& json) {
  GraphDescription graph;
  graph.name = json.at("name");
  graph.products = static_cast<cuda::ProductPrecision>(json.at("products").get<int>());
  for (const Json& tensor : json.at("tensors")) graph.tensors.push_back(tensor_from(tensor));
  for (const Json& operation : json.at("operations")) graph.operations.push_back(operation_from(operation));
  return graph;
}

}  // namespace

void write_graphs(const std::filesystem::path& file, const std::vector<WantedGraph>& graphs) {
  Json all = Json::array();
  for (const WantedGraph& wanted : graphs) {
    Json json{{"name", wanted.graph.name}, {"products", static_cast<int>(wanted.graph.products)},
              {"network", wanted.network}, {"precision", wanted.precision},
              {"batch", wanted.batch},     {"may_be_missing", wanted.may_be_missing},
              {"tensors", Json::array()},  {"operations", Json::array()}};
    for (const TensorDescription& tensor : wanted.graph.tensors) json["tensors"].push_back(to_json(tensor));
    for (const OperationDescription& operation : wanted.graph.operations)
      json["operations"].push_back(to_json(operation));
    all.push_back(std::move(json));
  }
  std::ofstream(file) << all.dump(1) << '\n';
}

std::vector<WantedGraph> read_graphs(const std::filesystem::path& file) {
  std::vector<WantedGraph> graphs;
  try {
    for (const Json& json : Json::parse(std::ifstream(file))) {
      graphs.push_back(
          {graph_from(json), json.at("network"), json.at("precision"), json.at("batch"), json.at("may_be_missing")});
    }
  } catch (const Json::exception& exception) {
    throw Error(ErrorKind::input, file.string() + ": " + exception.what());
  }
  return graphs;
}

}  // namespace blindspot::tests
