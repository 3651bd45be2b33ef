// htmx writes a <style> into every page unless told not to, which the policy refuses.
htmx.config.includeIndicatorStyles = false;
