/// Namespace marker; removed by the first real file of the target.
