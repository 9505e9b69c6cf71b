import Foundation
import PlumbCheckpoints
import PlumbTestSupport
import Testing

/// LoRA adapters on the command line: used, described, merged and taken out again.
@Suite struct AdapterCommandTests {
  static let names = ["qwen2", "gpt2"]

  func adapter(_ name: String) -> String { Fixtures.url("golden/lora/\(name)").path }
  func base(_ name: String) -> String { Fixtures.url("golden/\(name)").path }

  /// Log-probs of a row of ids under a model.
  func logprobs(_ model: String, _ options: [String] = []) throws -> [Double] {
    let rows = try Program.run(
      ["logprobs", "--model", model] + options, input: row("tokens", [5, 1, 3, 9, 40, 2])
    ).rows()
    return try #require(rows.first?["logprobs"]).numbers
  }

  @Test(arguments: names) func logprobsEqualThoseOfPeft(name: String) throws {
    let golden = try SafetensorsFile(
      contentsOf: Fixtures.url("golden/\(name)/expected.safetensors"))
    let expected = try SafetensorsFile(
      contentsOf: Fixtures.url("golden/lora/\(name)/expected.safetensors"))
    let ids = Array(try golden.integers(named: "input_ids").prefix(19))
    let rows = try Program.run(
      ["logprobs", "--model", adapter(name)], input: row("tokens", ids)
    ).rows()
    expectClose(
      try #require(rows.first?["logprobs"]).numbers,
      try expected.floats(named: "token_logprobs").prefix(18).map(Double.init), absolute: 2e-4,
      relative: 0)
  }

  @Test(arguments: names) func mergeAndUnmerge(name: String) throws {
    try withTemporaryDirectory { folder in
      let (merged, back) = (folder.appending(path: "merged"), folder.appending(path: "back"))
      let merge = try Program.run(["model", "merge", adapter(name), "--output", merged.path])
      #expect(merge.status == 0 && merge.output.isEmpty, "\(merge.errors)")
      expectClose(try logprobs(merged.path), try logprobs(adapter(name)), absolute: 1e-6)
      #expect(
        !isClose(try logprobs(merged.path), try logprobs(base(name)), absolute: 1e-3, relative: 0))
      let unmerge = try Program.run(
        ["model", "unmerge", merged.path, adapter(name), "--output", back.path])
      #expect(unmerge.status == 0, "\(unmerge.errors)")
      let found = try SafetensorsFile(contentsOf: back.appending(path: "model.safetensors"))
      let expected = try SafetensorsFile(
        contentsOf: Fixtures.url("golden/\(name)/model.safetensors"))
      #expect(found.names.count > 10)
      for tensor in found.names {
        expectClose(
          try found.floats(named: tensor), try expected.floats(named: tensor), absolute: 1e-6,
          tensor)
      }
      let again = try Program.run(["model", "merge", adapter(name), "--output", merged.path])
      #expect(again.status == 1 && again.errors.contains("expected a new or empty folder"))
    }
  }

  @Test func infoDescribesAnAdapter() throws {
    let result = try Program.run(["model", "info", adapter("qwen2")])
    for words in ["a LoRA adapter", "rank", "q_proj", "(5.01 %)", "golden/qwen2"] {
      #expect(result.output.contains(words), "'\(words)' in: \(result.output)")
    }
    let json = try #require(
      try Program.run(["model", "info", adapter("gpt2"), "--json"]).rows().first)
    #expect(json["rank"]?.integer == 2 && json["alpha"]?.number == 3)
    let counts = try #require(json["parameters"])
    let total = try #require(counts["total"]?.integer)
    #expect(counts["trainable"]?.integer == 3072)
    #expect(counts["base"]?.integer == total - 3072)
  }

  @Test func theBaseCanBeGiven() throws {
    try withTemporaryDirectory { folder in
      let moved = folder.appending(path: "moved").path
      try FileManager.default.copyItem(atPath: adapter("qwen2"), toPath: moved)
      let lost = try Program.run(["generate", "--model", moved], input: row("tokens", [1]))
      #expect(lost.status == 1 && lost.errors.contains("--base"), "\(lost.errors)")
      #expect(lost.errors.contains("adapter_config.json"))
      #expect(
        try logprobs(moved, ["--base", base("qwen2")]) == logprobs(adapter("qwen2")))
      let foreign = try Program.run(
        ["logprobs", "--model", moved, "--base", base("gpt2")], input: row("tokens", [1]))
      #expect(foreign.status == 1 && foreign.errors.contains("'down_proj'"), "\(foreign.errors)")
    }
  }

  static let refusals: [(arguments: [String], words: [String])] = [
    (["score", "--model", "ADAPTER"], ["found a LoRA adapter", "plumb model merge"]),
    (["model", "merge", "BASE", "--output", "x"], ["expected a LoRA adapter", "found none"]),
    (["model", "merge", "Package.swift", "--output", "x"], ["a LoRA adapter", "found a file"]),
    (
      ["model", "merge", "ADAPTER", "--output", "Package.swift"],
      ["expected a new or empty folder", "found a file"]
    ),
    (
      ["model", "merge", "ADAPTER", "--output", "x", "--base", "nowhere"],
      ["nowhere", "a model folder", "nothing"]
    ),
    (["model", "unmerge", "BASE", "BASE", "--output", "x"], ["expected a LoRA adapter"]),
    (["model", "unmerge", "ADAPTER", "ADAPTER", "--output", "x"], ["expected a whole model"]),
    (["logprobs", "--model", "BASE", "--base", "BASE"], ["--base", "expected a LoRA adapter"]),
    (["model", "info", "BASE", "--base", "BASE"], ["--base", "expected a LoRA adapter"]),
    (["model", "merge", "ADAPTER"], ["--output"]),
  ]

  @Test func misuseIsRefused() throws {
    for (arguments, words) in Self.refusals {
      let result = try Program.run(
        arguments.map { argument in
          switch argument {
          case "ADAPTER": adapter("qwen2")
          case "BASE": base("qwen2")
          default: argument
          }
        })
      #expect([1, 64].contains(result.status), "\(arguments): \(result.errors)")
      #expect(result.output.isEmpty && result.errors.hasPrefix("plumb: "))
      for word in words { #expect(result.errors.contains(word), "\(result.errors)") }
      #expect(!FileManager.default.fileExists(atPath: "x"))
    }
  }
}
