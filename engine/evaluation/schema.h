// The tables of a run database. Uses the standard library only.
//
// Version 2 is version 1 and the table of widths. Only runs that measure path widths have it: the others are written as
// version 1, which earlier programs read and go on with, and their content's digest is the one that those give it.
//
// Keys are numbers that do not depend on the order of work, and nothing else in a row does either: two runs of the same
// evaluation hold equal values however often they were killed. Numbers that are not numbers (NaN) are NULL;
// probabilities are float32 values, held exactly in REAL. PRAGMA application_id is `application_id`, PRAGMA
// user_version the schema's, which the settings also tell to readers of rows.
#pragma once

#include <cstdint>

namespace blindspot::evaluation {

inline constexpr std::int32_t application_id = 0x626c7370;  // "blsp"
inline constexpr std::int32_t schema_version = 2;           // the newest that is known
inline constexpr std::int32_t schema_version_without_widths = 1;
inline constexpr const char* schema_setting = "schema_version";  // its row in the settings

inline constexpr const char* schema = R"sql(
CREATE TABLE settings (          -- parameters, versions, shard; all that a resumed run must have in common
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
);
CREATE TABLE images (            -- sources and targets, in seeded order
  number INTEGER PRIMARY KEY,
  name TEXT NOT NULL,            -- path within the folder of images
  label INTEGER,                 -- class; NULL: each network's own prediction
  sha256 TEXT NOT NULL           -- of the file
);
CREATE TABLE unreadable (
  name TEXT PRIMARY KEY,
  reason TEXT NOT NULL
);
CREATE TABLE models (
  number INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  architecture TEXT NOT NULL,
  sha256 TEXT NOT NULL,          -- of the file; empty for rule-made weights
  weights_sha256 TEXT NOT NULL,
  preprocessing TEXT NOT NULL,   -- JSON
  preprocessing_source TEXT NOT NULL,
  classes TEXT NOT NULL,         -- JSON: names, may be empty
  class_count INTEGER NOT NULL,
  device TEXT NOT NULL,
  device_description TEXT NOT NULL,
  precision TEXT NOT NULL,
  batch INTEGER NOT NULL,
  slice INTEGER NOT NULL,
  threads INTEGER NOT NULL
);
CREATE TABLE inputs (            -- what a network makes of an image
  model INTEGER NOT NULL REFERENCES models,
  image INTEGER NOT NULL REFERENCES images,
  predicted INTEGER NOT NULL,
  probability REAL,              -- of the predicted class
  dropped TEXT,                  -- why it is no source of this network; NULL: it is one
  png BLOB NOT NULL,             -- at the network's input size
  PRIMARY KEY (model, image)
);
CREATE TABLE pairs (             -- one row a finished walk
  model INTEGER NOT NULL REFERENCES models,
  source INTEGER NOT NULL REFERENCES images,
  round INTEGER NOT NULL,
  target INTEGER NOT NULL REFERENCES images,
  source_class INTEGER NOT NULL,
  target_class INTEGER NOT NULL,
  source_probability REAL,
  target_image_probability REAL,
  start_probability REAL,
  probability REAL,              -- of the source's class at the final image, as all below
  target_probability REAL,
  probability_8bit REAL,
  outside INTEGER NOT NULL,
  accepted INTEGER NOT NULL,
  rejected INTEGER NOT NULL,
  l2 REAL,                       -- final image to target
  rmse REAL,
  linf REAL,
  ssim REAL,
  lpips REAL,
  final_png BLOB NOT NULL,
  PRIMARY KEY (model, source, round)
);
CREATE TABLE records (
  model INTEGER NOT NULL,
  source INTEGER NOT NULL,
  round INTEGER NOT NULL,
  iteration INTEGER NOT NULL,
  probability REAL,
  target_probability REAL,
  png BLOB,                      -- of the first pairs only
  PRIMARY KEY (model, source, round, iteration)
);
CREATE TABLE finals (            -- float32 [3,H,W], little-endian; here until the hulls of the source are written
  model INTEGER NOT NULL,
  source INTEGER NOT NULL,
  round INTEGER NOT NULL,
  image BLOB NOT NULL,
  PRIMARY KEY (model, source, round)
);
CREATE TABLE hulls (
  model INTEGER NOT NULL,
  source INTEGER NOT NULL,
  first_round INTEGER NOT NULL,
  second_round INTEGER NOT NULL,
  probabilities BLOB NOT NULL,   -- float32, little-endian, of the grid's points, t1 outer, t2 inner
  PRIMARY KEY (model, source, first_round, second_round)
);
)sql";

/// What version 2 adds.
inline constexpr const char* schema_of_widths = R"sql(
CREATE TABLE widths (            -- around the records of the first pairs, where the confidence was δ or more
  model INTEGER NOT NULL,
  source INTEGER NOT NULL,
  round INTEGER NOT NULL,
  iteration INTEGER NOT NULL,
  radius REAL NOT NULL,          -- 0: the record's image itself
  q05 REAL,                      -- quantiles of the confidence over the directions
  q95 REAL,
  PRIMARY KEY (model, source, round, iteration, radius)
);
)sql";

}  // namespace blindspot::evaluation
