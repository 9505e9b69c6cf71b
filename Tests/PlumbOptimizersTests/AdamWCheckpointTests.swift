import Foundation
import PlumbCheckpoints
import PlumbTensors
import PlumbTestSupport
import Testing

@testable import PlumbOptimizers

struct AdamWCheckpointTests {
  /// A run that is written and read back half way ends in the same bits as one left alone.
  @Test("Complaint 21, OpenRLHF#65: the optimizer's state comes back to the bit")
  func stateRoundTripsToTheBit() throws {
    var layout = ParameterLayout()
    _ = layout.add("a.weight", [4, 3], .normal(standardDeviation: 1))
    _ = layout.add("a.bias", [4], .zeros)
    let configuration = AdamW.Configuration(weightDecay: 0.01)
    func gradients(_ step: Int, _ parameters: ParameterBlock) -> GradientBlock {
      var stream = RandomStream(seed: 9, purpose: "gradients", step: step)
      return AdamWTests.gradients((0..<16).map { _ in stream.normal() }, for: parameters)
    }
    var straight = ParameterBlock(layout: layout, seed: 1)
    var optimizer = AdamW(configuration, for: straight)
    var resumed = straight
    try withTemporaryDirectory { directory in
      let url = directory.appending(path: "optimizer.safetensors")
      for step in 0..<6 {
        optimizer.update(&straight, gradients: gradients(step, straight), learningRate: 0.01)
        if step == 2 {
          let bad = [Float](repeating: .nan, count: layout.count)
          optimizer.update(
            &straight, gradients: AdamWTests.gradients(bad, for: straight), learningRate: 0.01)
          try optimizer.write(to: url)
          resumed = straight
        }
      }
      var restored = try AdamW(contentsOf: url, configuration: configuration, for: resumed)
      #expect(restored.step == 3 && restored.skippedSteps == 1)
      for step in 3..<6 {
        restored.update(&resumed, gradients: gradients(step, resumed), learningRate: 0.01)
      }
      #expect(AdamWTests.values(resumed) == AdamWTests.values(straight))
      #expect(restored.moments.first == optimizer.moments.first)
      #expect(restored.moments.second == optimizer.moments.second)
    }
  }

  @Test func stateOfOtherParametersIsRefused() throws {
    let parameters = AdamWTests.block([1, 2, 3, 4], [2, 2])
    try withTemporaryDirectory { directory in
      let url = directory.appending(path: "optimizer.safetensors")
      try AdamW(for: parameters).write(to: url)
      #expect {
        try AdamW(contentsOf: url, configuration: .init(), for: AdamWTests.block([1, 2], [2]))
      } throws: {
        "\($0)".contains("expected [2], found [2, 2]")
      }
      var larger = parameters.layout
      _ = larger.add("more", [1], .zeros)
      #expect {
        try AdamW(contentsOf: url, configuration: .init(), for: ParameterBlock(layout: larger))
      } throws: {
        "\($0)".contains("first_moment.more")
      }
      var other = ParameterLayout()
      _ = other.add("other", [1], .zeros)
      #expect {
        try AdamW(contentsOf: url, configuration: .init(), for: ParameterBlock(layout: other))
      } throws: {
        "\($0)".contains("belongs to other parameters")
      }
    }
  }

  @Test func damagedCountersAreRefused() throws {
    let parameters = AdamWTests.block([1, 2, 3, 4], [2, 2])
    try withTemporaryDirectory { directory in
      let url = directory.appending(path: "optimizer.safetensors")
      for (metadata, found) in [(["step": "three"], "found 'three'"), ([:], "found none")] {
        try Safetensors.write(
          ["first_moment.weight", "second_moment.weight"].map {
            (name: $0, shape: [2, 2], values: [0, 0, 0, 0])
          }, metadata: metadata, to: url)
        #expect {
          try AdamW(contentsOf: url, configuration: .init(), for: parameters)
        } throws: {
          "\($0)".contains(found)
        }
      }
    }
  }
}
