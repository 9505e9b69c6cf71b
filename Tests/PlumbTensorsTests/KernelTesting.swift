import PlumbTensors
import PlumbTestSupport
import Testing

/// What tests of kernels against their plain twins have in common.
protocol KernelTesting {}

/// Three buffers that a kernel writes at once.
struct Triple {
  var x: [Float]
  var y: [Float]
  var z: [Float]

  var all: [Float] { x + y + z }
}

extension KernelTesting {
  /// Ordinary numbers, or some with extremes among them.
  func numbers(_ count: Int, seed: Int, hostile: Bool = false) -> [Float] {
    var stream = RandomStream(seed: UInt64(seed), purpose: "kernels")
    let extremes: [Float] = [
      .infinity, -.infinity, .nan, 0, -0.0, .leastNonzeroMagnitude, -.leastNormalMagnitude, 88.5,
      -87.4, 104, -104, 3e38, -3e38,
    ]
    return (0..<count).map { _ in
      let ordinary = 2 * stream.normal()
      let choice = stream.uniform(below: 3 * extremes.count)
      return hostile && choice < extremes.count ? extremes[choice] : ordinary
    }
  }

  func expectSame(_ fast: [Float], _ plain: [Float], tolerance: Float = 4e-6) {
    expectClose(fast, plain, absolute: tolerance, relative: tolerance)
  }
}
