import Foundation
import PlumbData
import PlumbEvaluation
import Testing

@testable import PlumbRecipes

/// The study of tournaments as a stage, on a small one with texts and a circle.
@Suite struct TournamentStageTests {
  /// Three systems that beat each other in a circle, by the word that they say.
  private func write(to folder: URL, circle: Bool) throws -> String {
    var lines = ""
    for prompt in 0..<24 {
      var comparisons: [String] = []
      for i in 0..<3 {
        for j in 0..<3 where i != j {
          let wins = circle ? (j - i + 3) % 3 == 1 : i < j
          // Noise: a tie or another verdict, now and then.
          let u = StableHash.unit("\(prompt) \(i) \(j)", seed: 6)
          let winner = u < 0.1 ? 0 : (u < 0.9) == wins ? 1 : 2
          comparisons.append(
            "{\"first\": \"s\(i)\", \"second\": \"s\(j)\", \"winner\": \(winner)}")
        }
      }
      lines += """
        {"question_id": \(prompt), "category": "\(prompt % 2 == 0 ? "even" : "odd")", \
        "prompt": "question \(prompt)", "answers": {"s0": "zero", "s1": "one", "s2": "two"}, \
        "comparisons": [\(comparisons.joined(separator: ", "))]}

        """
    }
    let url = folder.appending(path: circle ? "circle.jsonl" : "order.jsonl")
    try Data(lines.utf8).write(to: url)
    return url.path
  }

  @Test func aCircleAndAnOrderAreToldApart() throws {
    let folder = try TemporaryFolder()
    let yaml = """
      name: tournament
      seed: 4
      threads: 2
      stages:
        tournament:
          files: ['\(try write(to: folder.url, circle: true))', '\(try write(to: folder.url, circle: false))']
          planes: [1]
          prompt_planes: [1]
          null_draws: 50
          resamples: 50
          pairs_per_prompt: 2
      """
    let summary = try runTiny(yaml, in: folder.url.appending(path: "run"))
    func figure(_ name: String) throws -> Figure {
      try #require(summary.figures.first { $0.name == "tournament/\(name)" }, "\(name)")
    }
    #expect(try figure("circle/system/gpm_k1/gain_over_bt").value > 0.1)
    #expect(try abs(figure("order/system/gpm_k1/gain_over_bt").value) < 0.05)
    #expect(try figure("circle/cyclic_energy_share").value > 0.9)
    #expect(try figure("order/cyclic_energy_share").value < 0.2)
    #expect(try figure("circle/system/bt/captured_cycles").value == 0)
    #expect(try figure("circle/system/gpm_k1/captured_cycles").value > 0.9)
    #expect(try figure("circle/category/gpm_k1/nll").value < figure("circle/category/bt/nll").value)
    #expect(try figure("circle/prompt/gpm_k1/nll").sampleSize == 72)
    let claims = summary.claims
    #expect(claims.count == 4)
    #expect(claims[0].held && claims[1].held)
    // The order's log-odds are equal, not added up over steps: ratings do not hold them exactly either.
    #expect(!claims[2].held)
    let stage = folder.url.appending(path: "run/stages/tournament")
    for name in ["circle", "order"] {
      let parts = try ["train", "validation", "test"].map {
        try DataFile.preferencePairs(stage.appending(path: "\(name).\($0).jsonl.zst")).rows
      }
      let prompts = parts.map { Set($0.map(\.promptKey)) }
      #expect(prompts[0].isDisjoint(with: prompts[2]) && prompts[1].isDisjoint(with: prompts[2]))
      #expect(
        Dictionary(grouping: parts.joined(), by: \.promptKey).values.allSatisfy { $0.count <= 2 })
    }
  }

  @Test func badFilesAreRefused() throws {
    let folder = try TemporaryFolder()
    let empty = folder.url.appending(path: "empty.jsonl")
    try Data().write(to: empty)
    for (settings, expected) in [
      ("{files: []}", "at least one file"), ("{files: ['\(empty.path)']}", "there is no verdict"),
      ("{files: ['\(empty.path)'], folds: 2}", "folds"),
      ("{files: ['\(empty.path)'], planes: [0]}", "planes"),
    ] {
      do {
        try runTiny(
          "name: bad\nthreads: 2\nstages:\n  tournament: \(settings)\n",
          in: folder.url.appending(path: "run"))
        Issue.record("nothing was refused")
      } catch {
        #expect("\(error)".contains(expected), "\(error)")
      }
    }
  }
}
