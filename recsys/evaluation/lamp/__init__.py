"""Files in the layout of LaMP and LongLaMP: the same methods, on other people's tasks."""
