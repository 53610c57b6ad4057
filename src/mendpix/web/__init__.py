"""The web server: the page that people use, and the HTTP interface under `/api/v1`. A leaf: nobody imports it."""
