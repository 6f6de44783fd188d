#include "experiments/time_left.h"

#include <gtest/gtest.h>

namespace memlayers::experiments {
namespace {

TEST(TimeLeft, IsNotKnownBeforeAnythingRan) {
  const std::vector<Cell> cells = {{"dense", 1e12}, {"wide", 4e12}};
  EXPECT_FALSE(seconds_left(cells).has_value());
  EXPECT_EQ(left_text(cells), "2 cells of 2 left");
}

TEST(TimeLeft, WeighsCellsByFlopsAtTheFirstOnesPace) {
  const std::vector<Cell> cells = {{"dense", 1e12}, {"wide", 4e12}, {"dense", 1e12}};
  EXPECT_DOUBLE_EQ(seconds_left(cells, 1e-10).value(), 600);
  EXPECT_EQ(left_text(cells, 1e-10), "3 cells of 3 left; about 10 min");
}

TEST(TimeLeft, TakesWhatAVariantsOwnCellsTookAndElseThePaceOfAll) {
  // 500 s for 2.5e12 FLOPs: 200 s a 1e12.
  std::vector<Cell> cells = {{"dense", 1e12, false, 100},
                             {"dense", 1e12, false, 140},
                             {"sparse", 0.5e12, false, 260},
                             {"dense", 1e12},
                             {"sparse", 0.5e12},
                             {"wide", 4e12}};
  EXPECT_DOUBLE_EQ(seconds_left(cells, 1.0).value(), 120 + 260 + 800) << "the beginning's pace is of no use any more";
  EXPECT_EQ(left_text(cells), "3 cells of 6 left; about 19 min 40 s");
  cells[5].left = false;  // failed: it takes no time, and says nothing of how long others take
  EXPECT_DOUBLE_EQ(seconds_left(cells).value(), 380);
}

TEST(TimeLeft, OfCellsRunElsewhereIsNotKnown) {
  const std::vector<Cell> cells = {{"dense", 1e12, false, 0}, {"wide", 4e12}};
  EXPECT_EQ(left_text(cells), "1 cell of 2 left");
  EXPECT_EQ(left_text(cells, 1e-10), "1 cell of 2 left; about 6 min 40 s");
}

TEST(TimeLeft, OfCellsSideBySideIsThatOfTheJobsButNoLessThanTheLongestTakes) {
  const std::vector<Cell> cells = {{"dense", 1e12, false, 100}, {"dense", 1e12}, {"dense", 1e12}, {"dense", 1e12}};
  EXPECT_DOUBLE_EQ(seconds_left(cells, 0, 2).value(), 150);
  EXPECT_DOUBLE_EQ(seconds_left(cells, 0, 8).value(), 100);
  EXPECT_EQ(left_text(cells, 0, 2), "3 cells of 4 left; about 2 min 30 s");
}

TEST(TimeLeft, IsNoneWhereAllRan) { EXPECT_EQ(seconds_left({{"dense", 1e12, false, 7}}).value(), 0); }

}  // namespace
}  // namespace memlayers::experiments
