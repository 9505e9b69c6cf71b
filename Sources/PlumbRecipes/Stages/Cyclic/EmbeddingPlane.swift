import PlumbPreferences

/// The plane of preference embeddings that carries most of their scores, for drawing.
struct EmbeddingPlane {
  /// Which of the k planes, from 0.
  let index: Int
  /// Its part of the summed magnitudes of all planes' scores; 1 where k is 1.
  let share: Double

  /// Weighs planes by `Σ |g_l (v_i[2l] v_j[2l+1] - v_i[2l+1] v_j[2l])|` over all pairs of every group.
  init(_ groups: [PreferenceEmbeddings]) {
    let planes = (groups.first?.responses.first?.count ?? 2) / 2
    var weights = [Double](repeating: 0, count: max(1, planes))
    for group in groups {
      for i in group.responses.indices {
        for j in group.responses.indices where i < j {
          let (a, b) = (group.responses[i], group.responses[j])
          for plane in 0..<planes {
            let (even, odd) = (2 * plane, 2 * plane + 1)
            let turn = Double(a[even]) * Double(b[odd]) - Double(a[odd]) * Double(b[even])
            weights[plane] += abs(turn * (group.gate.map { Double($0[plane]) } ?? 1))
          }
        }
      }
    }
    index = weights.indices.max { weights[$0] < weights[$1] } ?? 0
    let total = weights.reduce(0, +)
    share = total > 0 ? weights[index] / total : 1
  }

  /// A response's coordinates in the plane.
  func point(_ embedding: [Float]) -> Chart.Point {
    Chart.Point(Double(embedding[2 * index]), Double(embedding[2 * index + 1]))
  }

  /// "plane 2 of 3, 81 % of the score"; empty for a single plane.
  func name(of planes: Int) -> String {
    planes < 2
      ? "" : "plane \(index + 1) of \(planes), \(NumberText.percent(share)) of the scores"
  }
}
