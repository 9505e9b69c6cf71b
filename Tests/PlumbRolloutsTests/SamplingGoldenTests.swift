import Foundation
import PlumbCheckpoints
import PlumbTensors
import PlumbTestSupport
import Testing

@testable import PlumbRollouts

/// `golden/sampling`: distributions that transformers' logits processors leave.
@Suite struct SamplingGoldenTests {
  private static let cases: [(name: String, options: SamplingOptions)] = [
    ("temperature_0.7", SamplingOptions(temperature: 0.7)),
    ("top_k_5", SamplingOptions(topK: 5)),
    ("top_p_0.8", SamplingOptions(topP: 0.8)),
    ("min_p_0.1", SamplingOptions(minP: 0.1)),
    ("repetition_1.3", SamplingOptions(repetitionPenalty: 1.3)),
    (
      "temperature_0.7_top_k_20_top_p_0.8", SamplingOptions(temperature: 0.7, topK: 20, topP: 0.8)
    ),
  ]

  @Test(arguments: cases.indices)
  func filteredDistribution(index: Int) throws {
    let (name, options) = Self.cases[index]
    let file = try SafetensorsFile(contentsOf: Fixtures.url("golden/sampling.safetensors"))
    let shape = try #require(file.shape(of: "logits"))
    let logits = try file.floats(named: "logits")
    let previous = try file.integers(named: "previous_ids").map { Int32($0) }
    let expected = try file.floats(named: name)
    let (rows, width) = (shape[0], shape[1])
    for row in 0..<rows {
      let seen = Set(previous[row * previous.count / rows..<(row + 1) * previous.count / rows])
      let values = Array(logits[row * width..<(row + 1) * width])
      let reference = Array(expected[row * width..<(row + 1) * width])
      let found = try #require(plainDistribution(values, options.draws, seen: seen))
      expectClose(
        found.map { Float($0) }, reference, absolute: 2e-6, relative: 1e-4, "\(name), row \(row)")
      #expect(found.map { $0 > 0 } == reference.map { $0 > 0 })
      // In the middle of a token's share of [0, 1) that token is drawn.
      var mass = 0.0
      for (token, share) in reference.enumerated() where share > 0 {
        let draw = TokenDraw.draw(
          from: values, options.draws, uniform: mass + Double(share) / 2, seen: TokenSet(seen))
        if share > 1e-5 { #expect(draw?.token == Int32(token), "\(name), row \(row)") }
        mass += Double(share)
      }
    }
  }
}
