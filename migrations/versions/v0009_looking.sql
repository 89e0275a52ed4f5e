-- Who was at a site between two times is asked by an inquiry, of the site and the times.
create index if not exists visitors_of_site on visitors (site_id, valid_from, visitor_id);
