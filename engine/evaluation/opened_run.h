// What an evaluation needs before it can begin: its networks and images, checked against each other and against what
// the database was begun with. Sees the public headers and this folder.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "blindspot/distances.h"
#include "blindspot/evaluation.h"
#include "engine/evaluation/image_reading.h"
#include "engine/evaluation/run_store.h"

namespace blindspot::evaluation {

struct OpenedNetwork {
  std::optional<Model> model;
  EvaluatedModel row;
  bool recorded = false;               ///< in the database already
  std::vector<EvaluatedInput> inputs;  ///< by image; filled by whoever knows the database
  std::size_t size = 0;                ///< which of ListedImage::pictures are its inputs
};

class OpenedRun {
 public:
  /// Checks the options. Throws Error(usage).
  explicit OpenedRun(const EvaluationOptions& options);

  /// Opens the networks, finds the images and begins to read them; `store` null: there is no database. Throws
  /// Error(usage|input|device), and Stopped, here and below.
  void open(RunStore* store);
  /// Waits for the images that are not read yet, and compares all with those that the database was begun with.
  void finish_reading();
  /// Takes the memory, which decides the batch and with it the network's last bits, and compares that with what was
  /// recorded. Comes before all work of a network, when those before it have given back theirs.
  void prepare(OpenedNetwork& network);

  std::vector<OpenedNetwork>& networks() { return networks_; }
  DistanceMeasure& distances() { return *distances_; }
  Settings settings() const;
  const std::vector<EvaluatedImage>& images() const { return images_; }
  const std::vector<std::pair<std::string, std::string>>& unreadable() const { return unreadable_; }
  /// By image, at the network's input size.
  std::vector<const Picture*> pictures(const OpenedNetwork& network) const;
  /// What the network makes of every image; those that are not read yet are read meanwhile.
  std::vector<EvaluatedInput> classify(OpenedNetwork& network);
  /// That the last call kept the device busy.
  double seconds_of_classifying() const { return seconds_of_classifying_; }

 private:
  void open_network(const std::string& name, const std::vector<EvaluatedModel>& recorded, const std::string& database);
  void begin_reading();
  std::size_t read_until(std::size_t count);
  void end_reading();
  std::size_t most_images() const;
  void report(const std::string& model, std::size_t done) const;

  const EvaluationOptions& options_;
  std::vector<OpenedNetwork> networks_;
  std::optional<DistanceMeasure> distances_;
  FoundImages found_;
  std::optional<std::vector<EvaluatedImage>> recorded_images_;
  std::vector<ListedImage> listed_;
  std::vector<EvaluatedImage> images_;
  std::vector<std::pair<std::string, std::string>> unreadable_;
  std::unique_ptr<ImageReading> reading_;  // null: all are read
  double seconds_of_classifying_ = 0;
};

}  // namespace blindspot::evaluation
