import PlumbPreferences

/// The learned embeddings of a general preference model on held-out pairs.
///
/// All responses in the plane that carries most of the scores, and in large those of the prompt with the
/// most responses, with arrows from chosen to rejected ones: a cycle in the data is a cycle of arrows.
/// - Parameters:
///   - model: trained.
///   - pairs: held-out pairs; the first 500 are drawn.
/// - Returns: nil where there is no pair.
func embeddingChart(_ model: GeneralPreferenceModel, _ pairs: [EncodedPair]) throws -> Chart? {
  let shown = Array(pairs.prefix(500)).map(\.group)
  guard !shown.isEmpty else { return nil }
  let embeddings = try model.embeddings(groups: shown)
  let plane = EmbeddingPlane(embeddings)
  let clouds = ["chosen", "rejected"].enumerated().map { side, name in
    Chart.Series(name, embeddings.map { plane.point($0.responses[side]) })
  }
  // One prompt: its different responses, and every pair of them.
  let prompts = Dictionary(grouping: shown.indices) { shown[$0].prompt }
  func responses(_ rows: [Int]) -> [[Int32]] {
    var seen: [[Int32]] = []
    for response in rows.flatMap({ shown[$0].responses }) where !seen.contains(response) {
      seen.append(response)
    }
    return seen
  }
  let most = prompts.values.map { (rows: $0, responses: responses($0)) }
    .max { ($0.responses.count, -$0.rows[0]) < ($1.responses.count, -$1.rows[0]) }
  guard let most else { return nil }
  let place = Dictionary(uniqueKeysWithValues: most.responses.enumerated().map { ($1, $0) })
  let points = most.responses.enumerated().map { index, response -> Chart.Embedding.Named in
    for row in most.rows {
      if let side = shown[row].responses.firstIndex(of: response) {
        return .init("\(index + 1)", plane.point(embeddings[row].responses[side]))
      }
    }
    return .init("\(index + 1)", Chart.Point(0, 0))
  }
  let arrows = most.rows.map { row in shown[row].responses.compactMap { place[$0] } }
  let name = plane.name(of: model.options.dimension / 2)
  return Chart(
    "Learned embeddings",
    caption:
      "Held-out responses; in large the \(points.count) responses to one prompt, by number. A "
      + "response beats those up to half a turn ahead, counter-clockwise."
      + (name.isEmpty ? "" : " Shown: \(name)."),
    x: .init("v[\(2 * plane.index)]"), y: .init("v[\(2 * plane.index + 1)]"),
    .embedding(Chart.Embedding(clouds: clouds, points: points, arrows: arrows)))
}
