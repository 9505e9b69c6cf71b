/// A plot of the report, as data; `svg` draws it.
public struct Chart: Codable, Hashable, Sendable {
  /// What is plotted.
  public enum Content: Codable, Hashable, Sendable {
    /// Values over steps or sizes, with bands where there are intervals.
    case lines([Series])
    /// Named values with error bars.
    case bars([Bar])
    /// Clouds of points; a series of one point is named beside it.
    case scatter([Series])
    /// Observed share over predicted probability, one series a model.
    case reliability([Series])
    /// A table of shares: row beats column.
    case matrix(WinMatrix)
    /// Counts per bin.
    case histogram([Histogram])
    /// Vectors of a plane, and who beats whom.
    case embedding(Embedding)
  }

  /// One axis.
  public struct Axis: Codable, Hashable, Sendable {
    /// The kinds of scale.
    public enum Scale: String, Codable, Sendable { case linear, logarithmic }

    /// What the axis shows, with the unit: "KL from SFT (nats)".
    public var label: String
    /// Linear, or logarithmic to base 10 (values that are not above 0 are left out).
    public var scale: Scale
    /// The least and the greatest value, where the data shall not decide.
    public var range: [Double]?

    /// An axis.
    public init(_ label: String, scale: Scale = .linear, range: ClosedRange<Double>? = nil) {
      self.label = label
      self.scale = scale
      self.range = range.map { [$0.lowerBound, $0.upperBound] }
    }
  }

  /// One point of a series.
  public struct Point: Codable, Hashable, Sendable {
    /// The position along the horizontal axis.
    public var x: Double
    /// The position along the vertical axis.
    public var y: Double
    /// The ends of the interval of `y`, lower first.
    public var interval: [Double]?
    /// The number of things behind the point (a reliability diagram draws it as the dot's size).
    public var weight: Double

    /// A point.
    public init(
      _ x: Double, _ y: Double, interval: ClosedRange<Double>? = nil, weight: Double = 1
    ) {
      self.x = x
      self.y = y
      self.interval = interval.map { [$0.lowerBound, $0.upperBound] }
      self.weight = weight
    }
  }

  /// Points with a name.
  public struct Series: Codable, Hashable, Sendable {
    /// The name in the legend.
    public var name: String
    /// The points; lines go through them in this order.
    public var points: [Point]
    /// Whether the line is dashed: references and bounds.
    public var isDashed: Bool

    /// A series.
    public init(_ name: String, _ points: [Point], dashed: Bool = false) {
      self.name = name
      self.points = points
      isDashed = dashed
    }
  }

  /// One bar.
  public struct Bar: Codable, Hashable, Sendable {
    /// The name under the bar.
    public var name: String
    /// The height.
    public var value: Double
    /// The ends of the interval, lower first.
    public var interval: [Double]?
    /// The series the bar belongs to, where bars stand in groups of one name; empty for one series.
    public var series: String

    /// A bar.
    public init(
      _ name: String, _ value: Double, interval: ClosedRange<Double>? = nil, series: String = ""
    ) {
      self.name = name
      self.value = value
      self.interval = interval.map { [$0.lowerBound, $0.upperBound] }
      self.series = series
    }
  }

  /// Shares of wins of each row against each column.
  public struct WinMatrix: Codable, Hashable, Sendable {
    /// The names of rows and columns.
    public var names: [String]
    /// K × K shares from 0 to 1, row by row; the diagonal is not shown.
    public var shares: [[Double]]
    /// Half of the width of each 95 % interval, in the same order; empty where unknown.
    public var halfWidths: [[Double]]

    /// A matrix.
    public init(names: [String], shares: [[Double]], halfWidths: [[Double]] = []) {
      precondition(
        shares.count == names.count && shares.allSatisfy { $0.count == names.count },
        "WinMatrix: expected \(names.count) × \(names.count) shares, found \(shares.map(\.count))")
      self.names = names
      self.shares = shares
      self.halfWidths = halfWidths
    }
  }

  /// Vectors of one plane of a preference embedding, with arrows from winners to losers.
  public struct Embedding: Codable, Hashable, Sendable {
    /// Many vectors, a series for each kind, drawn small.
    public var clouds: [Series]
    /// Vectors with names, drawn large.
    public var points: [Named]
    /// Pairs of indices into `points`: from the winner to the loser.
    public var arrows: [[Int]]

    /// A vector with a name.
    public struct Named: Codable, Hashable, Sendable {
      /// What is written beside it.
      public var name: String
      /// Its place.
      public var point: Point

      /// A vector.
      public init(_ name: String, _ point: Point) {
        self.name = name
        self.point = point
      }
    }

    /// A drawing; every arrow must join two of the points.
    public init(clouds: [Series], points: [Named], arrows: [[Int]]) {
      precondition(
        arrows.allSatisfy { $0.count == 2 && $0.allSatisfy(points.indices.contains) },
        "Embedding: expected arrows between points 0..<\(points.count), found \(arrows)")
      self.clouds = clouds
      self.points = points
      self.arrows = arrows
    }
  }

  /// Counts of one series in bins of equal width.
  public struct Histogram: Codable, Hashable, Sendable {
    /// The name in the legend.
    public var name: String
    /// Edges of the bins, one more than counts.
    public var edges: [Double]
    /// Counts or shares per bin.
    public var counts: [Double]

    /// A histogram that was counted elsewhere.
    public init(_ name: String, edges: [Double], counts: [Double]) {
      precondition(
        edges.count == counts.count + 1,
        "Histogram: expected \(counts.count + 1) edges, found \(edges.count)")
      self.name = name
      self.edges = edges
      self.counts = counts
    }

    /// Counts values into `bins` bins over `range` (by default from the least to the greatest).
    public init(_ name: String, of values: [Double], bins: Int, range: ClosedRange<Double>? = nil) {
      precondition(bins > 0, "Histogram: expected at least 1 bin, found \(bins)")
      let finite = values.filter(\.isFinite)
      var low = range?.lowerBound ?? finite.min() ?? 0
      var high = range?.upperBound ?? finite.max() ?? 1
      if low == high { (low, high) = (low - 0.5, high + 0.5) }
      let width = (high - low) / Double(bins)
      var counts = [Double](repeating: 0, count: bins)
      for value in finite where value >= low && value <= high {
        counts[min(bins - 1, Int((value - low) / width))] += 1
      }
      self.init(name, edges: (0...bins).map { low + Double($0) * width }, counts: counts)
    }
  }

  /// The heading of the plot.
  public var title: String
  /// A sentence under the plot: what it shows, on how much data.
  public var caption: String
  /// The horizontal axis.
  public var x: Axis
  /// The vertical axis.
  public var y: Axis
  /// What is plotted.
  public var content: Content

  /// A plot.
  public init(
    _ title: String, caption: String = "", x: Axis = Axis(""), y: Axis = Axis(""),
    _ content: Content
  ) {
    self.title = title
    self.caption = caption
    self.x = x
    self.y = y
    self.content = content
  }
}
