#include "lathe/base/toml.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <optional>

#include "lathe/base/error.h"
#include "lathe/base/explain.h"
#include "lathe/base/json.h"
#include "lathe/base/memory_files.h"
#include "lathe/base/random.h"

namespace lathe {
namespace {

struct Source {
  std::string path;
  double weight = 1;
  void fields(Fields& f) {
    f("path", path, "file, folder or glob");
    f("weight", weight, "share of the mixture", in_range(0, 1e6));
  }
};
struct Data {
  std::vector<Source> train;
  std::vector<std::string> tags;
  void fields(Fields& f) {
    f("train", train, "what to learn from");
    f("tags", tags);
  }
};
struct Schedule {
  std::string kind = "cosine";
  std::int64_t warmup_tokens = 100;
  void fields(Fields& f) {
    f("kind", kind, "shape of the learning rate", one_of({"cosine", "wsd"}));
    f("warmup_tokens", warmup_tokens, "tokens of linear warm-up", in_range(0, 1e15));
  }
};
struct Config {
  std::int64_t seed = 0;
  int layers = 2;
  bool tied = true;
  double lr = 1e-3;
  std::optional<std::int64_t> steps;
  std::optional<Schedule> second;
  std::vector<std::int64_t> sizes;
  std::vector<double> betas = {0.9, 0.95};
  Data data;
  Schedule schedule;
  void fields(Fields& f) {
    f("seed", seed, "of every random draw");
    f("layers", layers, "blocks", in_range(1, 1e9));
    f("tied", tied);
    f("lr", lr, "peak learning rate", in_range(0, 1));
    f("steps", steps);
    f("second", second);
    f("sizes", sizes);
    f("betas", betas, "decay of the moments", in_range(0, 1));
    f("data", data, "text");
    f("schedule", schedule, "learning rate over the run");
  }
};

Config read(std::string_view text) {
  Config config;
  read_toml_text(text, "run.toml", config);
  return config;
}

std::string problem(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument) << error.message();
    return error.message();
  }
  return "no error";
}
std::string problem(std::string_view text) {
  return problem([&] { read(text); });
}
std::string override_problem(const std::string& text) {
  Config config;
  return problem([&] { apply_overrides({text}, config); });
}

TEST(Toml, ReadsEveryKind) {
  const Config c = read(R"(
    seed = 7
    tied = false
    lr = 3e-4
    steps = 10
    sizes = [1, 2, 3]
    betas = [0.5, 1]
    [data]
    train = ["a.txt", {path = "b.txt", weight = 2}]
    tags = ["x"]
    [schedule]
    kind = "wsd"
    [second]
    warmup_tokens = 5)");
  EXPECT_EQ(c.seed, 7);
  EXPECT_FALSE(c.tied);
  EXPECT_EQ(c.lr, 3e-4);
  EXPECT_EQ(c.steps, 10);
  EXPECT_EQ(c.sizes, (std::vector<std::int64_t>{1, 2, 3}));
  EXPECT_EQ(c.betas, (std::vector<double>{0.5, 1}));
  ASSERT_EQ(c.data.train.size(), 2u);
  EXPECT_EQ(c.data.train[0].path, "a.txt");
  EXPECT_EQ(c.data.train[0].weight, 1);
  EXPECT_EQ(c.data.train[1].weight, 2);
  EXPECT_EQ(c.schedule.kind, "wsd");
  EXPECT_EQ(c.schedule.warmup_tokens, 100);  // default kept
  ASSERT_TRUE(c.second.has_value());
  EXPECT_EQ(c.second->warmup_tokens, 5);
  EXPECT_EQ(c.layers, 2);
}

TEST(Toml, SingleValueStandsForAList) {
  EXPECT_EQ(read("data.train = 'a.txt'").data.train.at(0).path, "a.txt");
  EXPECT_EQ(read("data.train = {path = 'b', weight = 3}").data.train.at(0).weight, 3);
  EXPECT_EQ(read("[[data.train]]\npath = 'b'\n[[data.train]]\npath = 'c'").data.train.size(), 2u);
  EXPECT_EQ(read("data.tags = 'x'").data.tags, (std::vector<std::string>{"x"}));
  EXPECT_TRUE(read("data.train = []").data.train.empty());
}

TEST(Toml, NumbersConvertOnlyExactly) {
  EXPECT_EQ(read("seed = 1e9").seed, 1'000'000'000);
  EXPECT_EQ(read("lr = 1").lr, 1.0);
  EXPECT_EQ(read("seed = 9223372036854775807").seed, std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(problem("seed = 1.5"), "run.toml:1:8: seed: expected an integer, found number 1.5");
  EXPECT_EQ(problem("seed = 1e19"), "run.toml:1:8: seed: expected an integer, found number 1e+19");
  EXPECT_EQ(problem("lr = 9007199254740993"),
            "run.toml:1:6: lr: expected a number, found integer 9007199254740993");
  EXPECT_EQ(problem("lr = 9223372036854775807"),
            "run.toml:1:6: lr: expected a number, found integer 9223372036854775807");
}

TEST(Toml, WrongTypesNameTheFindings) {
  EXPECT_EQ(problem("\n seed = \"many\""),
            "run.toml:2:9: seed: expected an integer, found string \"many\"");
  EXPECT_EQ(problem("tied = 1"), "run.toml:1:8: tied: expected true or false, found integer 1");
  EXPECT_EQ(problem("schedule = 3"), "run.toml:1:12: schedule: expected a table, found integer 3");
  EXPECT_EQ(problem("schedule.kind = 2020-01-02"),
            "run.toml:1:17: schedule.kind: expected a string, found date 2020-01-02");
  EXPECT_EQ(problem("sizes = [1, 'a']"),
            "run.toml:1:13: sizes[1]: expected an integer, found string \"a\"");
  EXPECT_EQ(problem("data.train = ['a', 5]"),
            "run.toml:1:20: data.train[1]: expected a string or a table, found integer 5");
  EXPECT_EQ(problem("seed = []"), "run.toml:1:8: seed: expected an integer, found a list of 0");
}

TEST(Toml, RangesAndChoices) {
  EXPECT_EQ(problem("lr = 3"), "run.toml:1:6: lr: expected from 0 to 1, found integer 3");
  EXPECT_EQ(problem("lr = nan"), "run.toml:1:6: lr: expected from 0 to 1, found number nan");
  EXPECT_EQ(problem("layers = 0"),
            "run.toml:1:10: layers: expected from 1 to 1000000000, found integer 0");
  EXPECT_NE(problem("layers = 3000000000"), "no error");  // does not fit an int
  EXPECT_EQ(
      problem("schedule.kind = 'cosin'"),
      "run.toml:1:17: schedule.kind: expected one of cosine, wsd, found string \"cosin\"; did "
      "you mean 'cosine'?");
  EXPECT_EQ(problem("betas = [0.5, 2]"),
            "run.toml:1:15: betas[1]: expected from 0 to 1, found integer 2");
}

TEST(Toml, UnknownKeysAreNamedWithTheNearest) {
  EXPECT_EQ(problem("[schedule]\nwarmup_token = 3"),
            "run.toml:2:1: unknown key 'schedule.warmup_token'; did you mean "
            "'schedule.warmup_tokens'?");
  EXPECT_EQ(problem("weight = 3"),  // in another table
            "run.toml:1:1: unknown key 'weight'; did you mean 'data.train.weight'?");
  EXPECT_EQ(problem("[shedule]\nkind = 'wsd'"),
            "run.toml:1:2: unknown key 'shedule'; did you mean 'schedule'?");
  EXPECT_EQ(problem("[schedule]\nzzzzzz = 3"),
            "run.toml:2:1: unknown key 'schedule.zzzzzz'; the keys here are kind, warmup_tokens");
  EXPECT_EQ(problem("data.train = [{path = 'a', wieght = 2}]"),
            "run.toml:1:28: unknown key 'data.train[0].wieght'; did you mean 'data.train.weight'?");
}

TEST(Toml, AllProblemsAtOnceInOrder) {
  EXPECT_EQ(problem("tied = 3\nlayrs = 3\nseed = 'x'"),
            "run.toml:1:8: tied: expected true or false, found integer 3\n"
            "run.toml:2:1: unknown key 'layrs'; did you mean 'layers'?\n"
            "run.toml:3:8: seed: expected an integer, found string \"x\"");
}

TEST(Toml, SyntaxErrorsHaveAPlace) {
  EXPECT_EQ(problem("seed = 1\nseed = 2").substr(0, 10), "run.toml:2");
  EXPECT_EQ(problem("seed = ").substr(0, 10), "run.toml:1");
  EXPECT_EQ(problem("[a\n").substr(0, 10), "run.toml:1");
  EXPECT_EQ(problem("name = \"\xff\xfe\"").substr(0, 10), "run.toml:1");
}

TEST(Toml, ErrorsLeaveTheConfigAlone) {
  Config config;
  problem([&] { read_toml_text("seed = 5\nlayers = 'x'", "run.toml", config); });
  EXPECT_EQ(config.seed, 0);
}

TEST(Toml, DeepKeysAreRefused) {
  std::string deep = "a";
  for (int i = 0; i < 100'000; ++i) deep += ".a";
  for (const std::string& text : {deep + " = 1", "[" + deep + "]", "x = {" + deep + " = 1}",
                                  "x = \"\\\"\"\n" + deep + " = 1"})
    EXPECT_NE(problem(text).find("at most 64 parts"), std::string::npos) << text.substr(0, 20);
  EXPECT_NE(problem(std::string(100'000, '[')), "no error");
  EXPECT_NE(problem("x = " + std::string(100'000, '[')), "no error");
  // Dots elsewhere are not keys.
  std::string numbers = "betas = [0.5";
  for (int i = 0; i < 200; ++i) numbers += ", 0.5";
  EXPECT_EQ(read(numbers + "]").betas.size(), 201u);
  EXPECT_EQ(problem("# " + std::string(500, '.') + "\ndata.tags = '" + std::string(500, '.') + "'"),
            "no error");
}

TEST(Toml, ExtendsReadsTheBaseFirst) {
  MemoryFiles files;
  files.make_directories("configs/base");
  const auto put = [&](const std::string& path, std::string_view text) {
    files.open_for_write(path, WriteMode::truncate)->write(text);
  };
  put("configs/base/b.toml", "seed = 1\nlr = 0.5\ndata.train = ['x', 'y']\n[schedule]\nkind='wsd'");
  put("configs/a.toml",
      "extends = 'base/b.toml'\nseed = 2\ndata.train='z'\nschedule.warmup_tokens=9");
  Config config;
  read_toml("configs/a.toml", config, files);
  EXPECT_EQ(config.seed, 2);
  EXPECT_EQ(config.lr, 0.5);
  EXPECT_EQ(config.data.train.size(), 1u);
  EXPECT_EQ(config.schedule.kind, "wsd");
  EXPECT_EQ(config.schedule.warmup_tokens, 9);

  put("configs/base/b.toml", "extends = '../a.toml'");
  EXPECT_EQ(problem([&] { read_toml("configs/a.toml", config, files); }),
            "configs/a.toml: extends itself, through configs/base/../a.toml");
  put("configs/base/b.toml", "sed = 1");
  EXPECT_EQ(problem([&] { read_toml("configs/a.toml", config, files); }),
            "configs/base/b.toml:1:1: unknown key 'sed'; did you mean 'seed'?");
  put("configs/a.toml", "extends = 3");
  EXPECT_EQ(problem([&] { read_toml("configs/a.toml", config, files); }),
            "configs/a.toml:1:11: extends: expected the path of a file, found integer 3");
  put("configs/a.toml", "extends = 'none.toml'");
  try {
    read_toml("configs/a.toml", config, files);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kNotFound);
    EXPECT_EQ(error.message(),
              "configs/a.toml: extends: read 'configs/none.toml': No such file or directory");
  }
}

TEST(Overrides, SetValues) {
  Config c;
  apply_overrides({"seed=3", "lr = 1e-2", "schedule.kind=wsd", "data.train=[\"a\", {path='b'}]",
                   "tied=false", "steps=4", "data.tags=7"},
                  c);
  EXPECT_EQ(c.seed, 3);
  EXPECT_EQ(c.lr, 1e-2);
  EXPECT_EQ(c.schedule.kind, "wsd");
  EXPECT_EQ(c.data.train.at(1).path, "b");
  EXPECT_FALSE(c.tied);
  EXPECT_EQ(c.steps, 4);
  EXPECT_EQ(c.data.tags.at(0), "7");  // a bare number where a string is expected
  apply_overrides({"data.train=some dir/a=b.txt", "schedule={kind='cosine'}"}, c);
  EXPECT_EQ(c.data.train.at(0).path, "some dir/a=b.txt");
  EXPECT_EQ(c.schedule.kind, "cosine");
  apply_overrides({"data.train=2020-01-01"}, c);
  EXPECT_EQ(c.data.train.at(0).path, "2020-01-01");
  apply_overrides({"data.tags=a\"b\\"}, c);
  EXPECT_EQ(c.data.tags.at(0), "a\"b\\");
}

TEST(Overrides, MistakesAreNamed) {
  EXPECT_EQ(override_problem("sed=3"), "--set sed=3: unknown key 'sed'; did you mean 'seed'?");
  EXPECT_EQ(override_problem("shedule.kind=wsd"),
            "--set shedule.kind=wsd: unknown key 'shedule'; did you mean 'schedule'?");
  EXPECT_EQ(override_problem("seed=many"),
            "--set seed=many: seed: expected an integer, found string \"many\"");
  EXPECT_EQ(override_problem("seed"),
            "--set seed: expected key=value, for example train.context=512");
  EXPECT_EQ(override_problem("=3"), "--set =3: expected a key such as train.context, got ''");
  EXPECT_EQ(override_problem("a..b=3"),
            "--set a..b=3: expected a key such as train.context, got 'a..b'");
  EXPECT_EQ(override_problem("data.train.weight=3"),
            "--set data.train.weight=3: data.train: is a list; set it whole: --set "
            "'data.train=[{...}, ...]'");
  EXPECT_NE(override_problem("data.train=[1").find("--set data.train=[1"), std::string::npos);
  EXPECT_NE(override_problem("data.tags=\xff"), "no error");
  EXPECT_NE(override_problem("seed=1\nlr=0.5"), "no error");
}

TEST(Toml, ResolvedConfigReadsBackExactly) {
  const RandomStream random(1, "toml_test");
  for (std::uint64_t draw = 0; draw < 200; ++draw) {
    Config c;
    c.seed = static_cast<std::int64_t>(random.word(6 * draw));
    c.lr = random.uniform(6 * draw + 1);
    c.betas = {random.uniform(6 * draw + 2), std::ldexp(random.uniform(6 * draw + 3), -1000), 0.0,
               1.0};
    if (draw % 2 == 0) c.steps = static_cast<std::int64_t>(draw);
    if (draw % 3 == 0) c.second = Schedule{.kind = "wsd"};
    c.sizes.assign(draw % 4, -5);
    c.data.train.assign(draw % 3, Source{.path = "a \"b\"\\\n\t\x01\x7f é", .weight = 0.1});
    c.data.tags.assign(draw % 5, "tag");
    const std::string text = write_toml(c);
    Config back;
    back.betas.clear();
    read_toml_text(text, "resolved", back);
    EXPECT_EQ(write_toml(back), text);
    ASSERT_EQ(back.betas.size(), c.betas.size());
    for (std::size_t i = 0; i < c.betas.size(); ++i)
      EXPECT_EQ(std::bit_cast<std::uint64_t>(back.betas[i]),
                std::bit_cast<std::uint64_t>(c.betas[i]));
    EXPECT_EQ(back.seed, c.seed);
    EXPECT_EQ(back.lr, c.lr);
    EXPECT_EQ(back.data.train.size(), c.data.train.size());
    if (!c.data.train.empty()) {
      EXPECT_EQ(back.data.train[0].path, c.data.train[0].path);
    }

    Config from_json;
    read_json(write_json(c), "json", from_json);
    EXPECT_EQ(write_toml(from_json), text);
  }
}

TEST(Toml, PrintsTablesAfterPlainKeys) {
  Config c;
  c.data.train = {{.path = "a.txt"}};
  EXPECT_EQ(write_toml(c), R"(seed = 0
layers = 2
tied = true
lr = 0.001
sizes = []
betas = [0.9, 0.95]

[data]
tags = []

[[data.train]]
path = "a.txt"
weight = 1.0

[schedule]
kind = "cosine"
warmup_tokens = 100
)");
}

TEST(Json, ReadsStrictly) {
  Config c;
  c.steps = 3;
  read_json(R"({"seed": 4, "steps": null, "data": {"train": ["a"]}})", "body", c);
  EXPECT_EQ(c.seed, 4);
  EXPECT_FALSE(c.steps.has_value());
  EXPECT_EQ(c.data.train.at(0).path, "a");
  const auto wrong = [&](std::string_view text) {
    return problem([&] { read_json(text, "body", c); });
  };
  EXPECT_EQ(wrong(R"({"sed": 4})"), "body: unknown key 'sed'; did you mean 'seed'?");
  EXPECT_EQ(wrong(R"({"seed": null})"), "body: seed: expected an integer, found null");
  EXPECT_EQ(wrong(R"({"seed": 18446744073709551615})").substr(0, 29),
            "body: seed: expected an integ");
  EXPECT_EQ(wrong("{\"seed\":\n 4,,}").substr(0, 9), "body:2:4:");
  EXPECT_EQ(wrong("[]"), "body: expected a table, found a list of 0");
  EXPECT_NE(wrong(std::string(100'000, '[')).find("nested more than 200"), std::string::npos);
  EXPECT_NE(wrong(""), "no error");
  EXPECT_NE(wrong("{\"seed\": \"\xff\"}"), "no error");
}

TEST(Json, PrintsWhatJsonCannotHold) {
  Tree tree = Tree::table();
  tree.add("nan", Tree::of(std::nan("")));
  tree.add("bytes", Tree::of(std::string("\xff")));
  tree.add("tenth", Tree::of(0.1));
  tree.add("one", Tree::of(1.0));
  EXPECT_EQ(print_json(tree),
            "{\"nan\":null,\"bytes\":\"\xEF\xBF\xBD\",\"tenth\":0.1,\"one\":1.0}");
}

TEST(Explain, KeysAndTables) {
  Config c;
  EXPECT_EQ(explain(fields_of(c), "lr"),
            "lr: peak learning rate\n  type: number, from 0 to 1\n  default: 0.001\n");
  EXPECT_EQ(explain(fields_of(c), "schedule.kind"),
            "schedule.kind: shape of the learning rate\n  type: string, one of cosine, wsd\n"
            "  default: \"cosine\"\n");
  EXPECT_EQ(explain(fields_of(c), "data"),
            "data: text\n  type: table\n  data.train      what to learn from\n"
            "  data.tags = []  \n");
  EXPECT_EQ(explain(fields_of(c), "data.train.weight"),
            "data.train.weight: share of the mixture\n  type: number, from 0 to 1000000\n"
            "  default: 1.0\n");
  EXPECT_TRUE(c.data.train.empty());  // as it was
  EXPECT_NE(explain(fields_of(c), "").find("peak learning rate"), std::string::npos);
  try {
    explain(fields_of(c), "schedule.warmup");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.message(), "no key 'schedule.warmup'; did you mean 'schedule.warmup_tokens'?");
  }
}

TEST(Explain, ListsEveryKey) {
  Config c;
  std::string all;
  for (const KeyInfo& key : list_keys(fields_of(c))) all += key.path + "\n";
  EXPECT_EQ(
      all,
      "seed\nlayers\ntied\nlr\nsteps\nsecond\nsecond.kind\nsecond.warmup_tokens\nsizes\nbetas\n"
      "data\ndata.train\ndata.train[].path\ndata.train[].weight\ndata.tags\nschedule\n"
      "schedule.kind\nschedule.warmup_tokens\n");
  EXPECT_FALSE(c.second.has_value());
}

}  // namespace
}  // namespace lathe
